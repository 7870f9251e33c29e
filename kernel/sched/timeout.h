/*
 * timeout.h - a call at a later time.
 *
 * The callback runs in the timer interrupt, on the CPU that armed it: it must not sleep.
 * Each CPU has its own; one that is armed again moves.
 */
#pragma once

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

struct timeout {
    struct list link;
    nsec_t when;
    void (*call)(struct timeout *t);
};

void timeout_init(struct timeout *t, void (*call)(struct timeout *t));

/* Arms or re-arms. @when: clock_now() at which to call; in the past: at once, soon. */
void timeout_set(struct timeout *t, nsec_t when);

/*
 * After it returns the callback does not run (it may have run). Waits for one that runs on
 * another CPU: the caller holds no lock that the callback takes.
 */
void timeout_cancel(struct timeout *t);

/* The earliest time armed on this CPU, UINT64_MAX when none: for the alarm. */
nsec_t timeout_next(void);

/* Calls all of this CPU that are due; from the timer interrupt. */
void timeout_run(nsec_t now);
