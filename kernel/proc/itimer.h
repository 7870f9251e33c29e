/*
 * itimer.h - the interval timers of a process: of real time, of the time that it runs, of that
 * and the kernel's time for it; and the limit on the latter.
 */
#pragma once

#include "kernel/sched/timeout.h"

struct process;

/* ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF, and RLIMIT_CPU. */
#define ITIMER_CPU_LIMIT 3
#define ITIMER_COUNT     4

struct itimer {
    struct timeout timeout;
    unsigned which;  /* C: the index among the process's own */
    nsec_t when;     /* P: by the timer's clock; 0: not set */
    nsec_t interval; /* P: 0: rings once */
};

/* What is left until it rings (0: never), and the interval afterwards. */
struct itimer_value {
    nsec_t left, interval;
};

void itimer_init(struct process *p);

/* Sets timer @which of the calling process; @old, if not NULL, receives what was. */
void itimer_set(unsigned which, const struct itimer_value *new, struct itimer_value *old);
struct itimer_value itimer_get(unsigned which);

/* RLIMIT_CPU of @p is new. proc_lock held. */
void itimer_limit_locked(struct process *p);

/* None rings any more: @p has no thread left. No lock held. */
void itimer_cancel_all(struct process *p);
