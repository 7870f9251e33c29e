/*
 * alarm_and_sleep.c - alarm interrupts what waits, can be taken back, is not inherited
 * by a child, and goes through exec.
 *
 * Nothing here depends on how fast the machine is, only on what comes first.
 */
#include "test.h"

#include <time.h>

static volatile sig_atomic_t seen;

/* musl's alarm() is setitimer */
static long
set_alarm(unsigned seconds)
{
    return syscall(SYS_alarm, seconds);
}

static void
handler(int sig)
{
    seen = sig;
}

static void
child(void *arg)
{
    (void)arg;
    show("a child has no alarm", set_alarm(0));
    struct timespec hour = {3600, 0};
    set_alarm(1);
    nanosleep(&hour, NULL); /* SIGALRM's default ends it */
}

int
main(void)
{
    struct timespec zero = {0, 0}, bad = {0, 1000000000}, negative = {-1, 0}, hour = {3600, 0};

    show("no alarm was set", set_alarm(100));
    show("the old one is told", set_alarm(50));
    show_status("child", in_child(child, NULL));
    CHECK("taking it back tells the rest", set_alarm(0) <= 50);
    signal(SIGALRM, handler);
    set_alarm(1);
    show("sleep for an hour", nanosleep(&hour, NULL));
    say("because of %s\n", signal_name(seen));
    show("sleep for no time", nanosleep(&zero, NULL));
    show("10^9 nanoseconds", nanosleep(&bad, NULL));
    show("a negative time", nanosleep(&negative, NULL));
    struct timespec a, b, step = {0, 30000000};
    clock_gettime(CLOCK_MONOTONIC, &a);
    show("30 ms", nanosleep(&step, NULL));
    clock_gettime(CLOCK_MONOTONIC, &b);
    long ns = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
    CHECK("are at least 30 ms", ns >= 30000000);
    b.tv_nsec += 20000000;
    if (b.tv_nsec >= 1000000000)
        b.tv_sec++, b.tv_nsec -= 1000000000;
    show("until a moment", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &b, NULL));
    clock_gettime(CLOCK_MONOTONIC, &a);
    CHECK("which is then past",
          a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec >= b.tv_nsec));
    return finish();
}
