/*
 * interval_timers.c - the three interval timers and the limit of processor time: timers of
 * processor time run while the process does, and only then.
 */
#include "test.h"

#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t rings[65];

static void
on_ring(int sig)
{
    rings[sig]++;
}

static int
set_ms(int which, long ms, long interval_ms)
{
    struct itimerval it = {{interval_ms / 1000, interval_ms % 1000 * 1000},
                           {ms / 1000, ms % 1000 * 1000}};

    return setitimer(which, &it, NULL);
}

/* Computes until the signal came @n times. */
static void
spin(int sig, int n)
{
    while (rings[sig] < n)
        ;
}

static void
virtual_time(int which, int sig, const char *name)
{
    struct itimerval it;

    rings[sig] = 0;
    MUST(set_ms(which, 20, 0));
    MUST(getitimer(which, &it));
    CHECK(name, it.it_value.tv_sec == 0 && it.it_value.tv_usec > 0 &&
                    it.it_value.tv_usec <= 40000 && it.it_interval.tv_usec == 0);
    struct timespec nap = {0, 60 * 1000 * 1000};
    MUST(nanosleep(&nap, NULL));
    say("while it slept: %d\n", (int)rings[sig]);
    spin(sig, 1);
    MUST(getitimer(which, &it));
    CHECK("rang once and is over", it.it_value.tv_sec == 0 && it.it_value.tv_usec == 0);
    MUST(set_ms(which, 5, 5));
    spin(sig, 4);
    MUST(set_ms(which, 0, 0));
    CHECK("rang again and again", rings[sig] >= 4);
}

static void
real_time(void)
{
    struct itimerval it;

    rings[SIGALRM] = 0;
    MUST(set_ms(ITIMER_REAL, 10, 10));
    while (rings[SIGALRM] < 3)
        pause();
    MUST(getitimer(ITIMER_REAL, &it));
    CHECK("the interval is told",
          it.it_interval.tv_sec == 0 && it.it_interval.tv_usec == 10000);
    MUST(set_ms(ITIMER_REAL, 0, 0));
    show("alarm after it was stopped", alarm(100));
    show("alarm tells what is left", alarm(0));
}

/* A child has no timers of its parent's. */
static void
child_without(void *arg)
{
    struct itimerval it;

    (void)arg;
    for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
        MUST(getitimer(which, &it));
        CHECK("not inherited", it.it_value.tv_sec == 0 && it.it_value.tv_usec == 0);
    }
}

static void
refusals(void)
{
    struct itimerval it = {{0, 0}, {0, 1000000}};

    show("no such timer", getitimer(3, &it));
    show("too many microseconds", setitimer(ITIMER_PROF, &it, NULL));
    it.it_value.tv_usec = -1;
    show("negative", setitimer(ITIMER_VIRTUAL, &it, NULL));
    show("set from nowhere", syscall(SYS_setitimer, ITIMER_PROF, 8, 0));
    show("get to nowhere", syscall(SYS_getitimer, ITIMER_PROF, 8));
}

static void
use_up(void *arg)
{
    struct rlimit limit = {1, 2};

    (void)arg;
    signal(SIGXCPU, on_ring);
    MUST(setrlimit(RLIMIT_CPU, &limit));
    spin(SIGXCPU, 1);
    say("told once\n");
    spin(SIGXCPU, 1000);
}

int
main(void)
{
    signal(SIGALRM, on_ring);
    signal(SIGVTALRM, on_ring);
    signal(SIGPROF, on_ring);
    virtual_time(ITIMER_VIRTUAL, SIGVTALRM, "virtual: what is left");
    virtual_time(ITIMER_PROF, SIGPROF, "prof: what is left");
    real_time();
    for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++)
        MUST(set_ms(which, 3600 * 1000, 0));
    show_status("a child", in_child(child_without, NULL));
    refusals();
    show_status("out of time", in_child(use_up, NULL));
    return finish();
}
