/*
 * kill_semantics.c - who may be signalled, what is refused, and that a signal to oneself
 * comes before kill returns.
 *
 * Standard signals do not queue: two of one kind while blocked come once.
 */
#include "test.h"

static volatile sig_atomic_t seen, sender_is_self, code;

static void
handler(int sig, siginfo_t *info, void *context)
{
    (void)context;
    seen += sig == SIGUSR1 ? 1 : 100;
    sender_is_self = info->si_pid == getpid();
    code = info->si_code;
}

int
main(void)
{
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigset_t set, old;

    MUST(sigaction(SIGUSR1, &act, NULL));
    MUST(sigaction(SIGUSR2, &act, NULL));
    MUST(kill(getpid(), SIGUSR1));
    say("seen %d, sender is self %d, code %d\n", (int)seen, (int)sender_is_self, (int)code);
    MUST(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
    say("seen %d, sender is self %d, code %d\n", (int)seen, (int)sender_is_self, (int)code);

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, &old);
    for (int i = 0; i < 3; i++)
        MUST(kill(getpid(), SIGUSR1));
    MUST(kill(getpid(), SIGUSR2));
    say("blocked: seen %d\n", (int)seen);
    sigprocmask(SIG_SETMASK, &old, NULL);
    say("unblocked: seen %d\n", (int)seen);

    show("signal 0 to oneself", kill(getpid(), 0));
    show("signal 65", kill(getpid(), 65));
    show("signal -1", kill(getpid(), -1));
    show("nobody", kill(2000000, SIGTERM));
    show("nobody's group", kill(-2000000, SIGTERM));
    show("tgkill nobody", syscall(SYS_tgkill, getpid(), 2000000, 0));
    show("tgkill a negative one", syscall(SYS_tgkill, -1, -1, 0));
    show("tkill 0", syscall(SYS_tkill, 0, SIGTERM));
    return finish();
}
