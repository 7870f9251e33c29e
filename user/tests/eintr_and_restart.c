/*
 * eintr_and_restart.c - a signal ends a waiting call with EINTR, or the call goes on when
 * the handler was set with SA_RESTART.
 *
 * read from a pipe and wait4 restart; poll and nanosleep never do.
 */
#include "test.h"

#include <time.h>

static volatile sig_atomic_t count;

static void
handler(int sig)
{
    (void)sig;
    count++;
}

/* Signal the parent again and again until it has noticed, then write if it asks. */
static pid_t
disturber(int tell, int fd)
{
    pid_t parent = getpid(), pid = (pid_t)MUST(fork());

    if (pid != 0)
        return pid;
    struct timespec little = {0, 20000000};
    for (int i = 0; i < 3; i++) {
        nanosleep(&little, NULL);
        kill(parent, SIGUSR1);
    }
    nanosleep(&little, NULL);
    if (tell)
        MUST(write(fd, "late", 4));
    for (;;) {
        nanosleep(&little, NULL);
        kill(parent, SIGUSR2); /* ignored; only keeps this child alive */
    }
}

static void
leave(pid_t pid)
{
    MUST(kill(pid, SIGKILL));
    reap(pid);
}

static void
with_flags(const char *what, int flags)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = flags};
    char buf[16];
    int p[2];

    say("%s\n", what);
    MUST(pipe(p));
    MUST(sigaction(SIGUSR1, &act, NULL));
    count = 0;
    pid_t pid = disturber(1, p[1]);
    show("  read", read(p[0], buf, sizeof(buf)));
    CHECK("  signals came", count >= 1);
    leave(pid);
    MUST(pipe(p));
    pid = disturber(0, 0);
    struct pollfd pfd = {p[0], POLLIN, 0};
    show("  poll", poll(&pfd, 1, 1000000));
    leave(pid);
    pid = disturber(0, 0);
    struct timespec hour = {3600, 0}, left = {0, 0};
    show("  nanosleep", nanosleep(&hour, &left));
    CHECK("  the rest is told", left.tv_sec >= 3000 && left.tv_sec < 3600);
    leave(pid);
}

int
main(void)
{
    signal(SIGUSR2, SIG_IGN);
    with_flags("without SA_RESTART", 0);
    with_flags("with SA_RESTART", SA_RESTART);
    return finish();
}
