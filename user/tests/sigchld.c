/*
 * sigchld.c - the end of a child is told by SIGCHLD with its number, code and status.
 *
 * SA_NOCLDSTOP leaves stops out; SIG_IGN and SA_NOCLDWAIT leave no zombie at all.
 */
#include "test.h"

static volatile sig_atomic_t count, code, status_seen;
static volatile pid_t who;

static void
handler(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    count++;
    who = info->si_pid;
    code = info->si_code;
    status_seen = info->si_status;
}

static void
listen(int flags)
{
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

    count = 0;
    MUST(sigaction(SIGCHLD, &act, NULL));
}

static void
child(const char *what, int sig)
{
    sigset_t chld, old;

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, &old);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        if (sig)
            raise(sig);
        _exit(21);
    }
    while (count == 0)
        sigsuspend(&old);
    sigprocmask(SIG_SETMASK, &old, NULL);
    say("%s: count %d, %s child, code %d, status %d\n", what, (int)count,
        who == pid ? "that" : "another", (int)code, (int)status_seen);
    if (code == CLD_STOPPED) {
        count = 0;
        kill(pid, SIGKILL);
    }
    reap(pid);
    count = 0;
}

int
main(void)
{
    int status;

    listen(0);
    child("exit", 0);
    child("killed", SIGTERM);
    child("stopped", SIGSTOP);
    listen(SA_NOCLDSTOP);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    MUST(waitpid(pid, &status, WUNTRACED));
    say("SA_NOCLDSTOP: count %d after a stop\n", (int)count);
    MUST(kill(pid, SIGCONT));
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
        ;
    listen(SA_NOCLDWAIT);
    pid = (pid_t)MUST(fork());
    if (pid == 0)
        _exit(3);
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
        ;
    show("SA_NOCLDWAIT", (errno = 0, waitpid(pid, &status, 0)));
    signal(SIGCHLD, SIG_IGN);
    pid = (pid_t)MUST(fork());
    if (pid == 0)
        _exit(3);
    show("SIG_IGN: wait ends when the child does", waitpid(pid, &status, 0));
    show("and it is gone", kill(pid, 0));
    return finish();
}
