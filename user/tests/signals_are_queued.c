/*
 * signals_are_queued.c - real-time signals come as often as they were sent, lowest number first
 * and with their values; standard ones come once.  What does not fit is refused, not lost.
 */
#include "test.h"

static int lowest;

static void
on_signal(int sig, siginfo_t *info, void *context)
{
    (void)context;
    say("  signal %s%d, code %d, value %d\n", sig >= lowest ? "RTMIN+" : "",
        sig >= lowest ? sig - lowest : sig, info->si_code, info->si_value.sival_int);
}

static int
queue(int sig, int value)
{
    return sigqueue(getpid(), sig, (union sigval){.sival_int = value});
}

static void
limit(rlim_t n)
{
    struct rlimit r;

    MUST(getrlimit(RLIMIT_SIGPENDING, &r));
    r.rlim_cur = n;
    MUST(setrlimit(RLIMIT_SIGPENDING, &r));
}

/* Blocked until the queue is full; then every one that was taken comes. */
static void
fill(void)
{
    siginfo_t info;
    sigset_t set;
    int sent = 0, came = 0;

    limit(64);
    while (sent < 100000 && queue(lowest, sent) == 0)
        sent++;
    show("one too many", queue(lowest, 0));
    show("tkill of a real-time signal", syscall(SYS_tkill, syscall(SYS_gettid), lowest + 1));
    show("kill needs no place", kill(getpid(), lowest + 2));
    show("nor does a standard signal", kill(getpid(), SIGUSR1));
    CHECK("the limit is about where it was set", sent > 32 && sent <= 64);
    sigemptyset(&set);
    sigaddset(&set, lowest);
    while (sigtimedwait(&set, &info, &(struct timespec){0}) == lowest)
        came += info.si_value.sival_int == came;
    CHECK("as many came, in order", came == sent);
    show("there is room again", queue(lowest, 7));
}

int
main(void)
{
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigset_t all, old;

    lowest = SIGRTMIN;
    sigfillset(&act.sa_mask);
    for (int sig = lowest; sig < lowest + 4; sig++)
        MUST(sigaction(sig, &act, NULL));
    MUST(sigaction(SIGUSR1, &act, NULL));
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    for (int i = 0; i < 3; i++) {
        show("a standard signal", queue(SIGUSR1, 10 + i));
        show("a real-time one", queue(lowest + 3 - i, 20 + i));
        show("another", queue(lowest + 3, 30 + i));
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    sigprocmask(SIG_BLOCK, &all, NULL);
    limit(0);
    show("no place at all", queue(lowest, 1));
    show("not for sigqueue of a standard signal either, but it comes", queue(SIGUSR1, 1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    sigprocmask(SIG_BLOCK, &all, NULL);
    fill();
    sigprocmask(SIG_SETMASK, &old, NULL);
    return finish();
}
