/*
 * wait_is_restarted.c - wait4 with SA_RESTART survives a signal, without it says EINTR.
 *
 * The child signals its parent, waits until the parent has seen it, and ends.
 */
#include "test.h"

#include <time.h>

static volatile sig_atomic_t *seen;

static void
handler(int sig)
{
    (void)sig;
    (*seen)++;
}

static void
run(const char *what, int flags)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = flags};
    struct timespec little = {0, 20000000};
    int status = 0;

    *seen = 0;
    MUST(sigaction(SIGUSR1, &act, NULL));
    pid_t parent = getpid(), pid = (pid_t)MUST(fork());
    if (pid == 0) {
        nanosleep(&little, NULL);
        kill(parent, SIGUSR1);
        while (*seen == 0)
            nanosleep(&little, NULL);
        nanosleep(&little, NULL);
        nanosleep(&little, NULL);
        _exit(8);
    }
    pid_t r = waitpid(pid, &status, 0);
    say("%s: %s\n", what, r == pid ? "the child" : errno_name(errno));
    if (r != pid)
        status = reap(pid);
    show_status("child", status);
}

int
main(void)
{
    seen = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    run("without SA_RESTART", 0);
    run("with SA_RESTART", SA_RESTART);
    return finish();
}
