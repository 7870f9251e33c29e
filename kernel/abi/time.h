/*
 * time.h - times as programs pass them (linux/time.h, linux/resource.h).
 */
#pragma once

#include "kernel/lib/types.h"

struct timespec {
    int64_t sec, nsec;
};

struct timeval {
    int64_t sec, usec;
};

struct itimerval {
    struct timeval interval, value;
};

struct rusage {
    struct timeval utime, stime;
    int64_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd,
        msgrcv, nsignals, nvcsw, nivcsw;
};

#define CLOCK_REALTIME           0
#define CLOCK_MONOTONIC          1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID  3
#define CLOCK_MONOTONIC_RAW      4
#define CLOCK_REALTIME_COARSE    5
#define CLOCK_MONOTONIC_COARSE   6
#define CLOCK_BOOTTIME           7

#define TIMER_ABSTIME 1

#define ITIMER_REAL    0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF    2

static inline bool
timespec_valid(const struct timespec *t)
{
    return t->sec >= 0 && t->nsec >= 0 && t->nsec < (int64_t)NSEC_PER_SEC;
}

/* UINT64_MAX when it does not fit. */
static inline nsec_t
timespec_to_nsec(const struct timespec *t)
{
    if ((uint64_t)t->sec > UINT64_MAX / NSEC_PER_SEC - 1)
        return UINT64_MAX;
    return (nsec_t)t->sec * NSEC_PER_SEC + (nsec_t)t->nsec;
}

static inline struct timespec
nsec_to_timespec(nsec_t ns)
{
    return (struct timespec){(int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC)};
}

static inline struct timeval
nsec_to_timeval(nsec_t ns)
{
    return (struct timeval){(int64_t)(ns / NSEC_PER_SEC),
                            (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC)};
}
