/*
 * timers_end_no_turn.c - who sets a timer again and again does not keep the processor by that:
 * another process that wants it gets its turns.
 */
#include "test.h"

#include <sys/time.h>

static struct rusage
usage(void)
{
    struct rusage u;

    MUST(getrusage(RUSAGE_SELF, &u));
    return u;
}

int
main(void)
{
    struct itimerval later = {{0, 0}, {0, 150000}}; /* it is put off all the time */
    struct rusage u;

    signal(SIGALRM, SIG_IGN);
    pid_t pid = share_processor();
    long before = usage().ru_nivcsw;

    do {
        MUST(setitimer(ITIMER_REAL, &later, NULL));
        u = usage();
    } while (u.ru_utime.tv_usec + u.ru_stime.tv_usec < 400000);
    CHECK("it had to give way", u.ru_nivcsw - before >= 2);
    MUST(kill(pid, SIGKILL));
    reap(pid);
    return finish();
}
