/*
 * yield_gives_way.c - who waits with sched_yield() leaves the processor to who has work to do.
 */
#include "test.h"

#include <sched.h>

static long
used_ms(int who)
{
    struct rusage u;

    MUST(getrusage(who, &u));
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* On one processor, whichever that is. */
static void
stay_here(void)
{
    unsigned long mask[16] = {0};
    unsigned k = 0;

    MUST(syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask));
    while (mask[k] == 0)
        k++;
    mask[k] &= -mask[k];
    MUST(syscall(SYS_sched_setaffinity, 0, (k + 1) * sizeof(mask[0]), mask));
}

int
main(void)
{
    stay_here();
    long before = used_ms(RUSAGE_SELF);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        while (used_ms(RUSAGE_SELF) < 300)
            continue;
        _exit(0);
    }
    while (waitpid(pid, NULL, WNOHANG) == 0)
        sched_yield();
    CHECK("waiting took no more than the work", used_ms(RUSAGE_SELF) - before < 900);
    return finish();
}
