/*
 * sched.h - which thread runs next.
 *
 * Multi-level feedback: SCHED_LEVELS queues, the first non-empty one runs,
 * round robin inside.  A thread that uses up its slice goes one level down, one that wakes from
 * sleep starts at the top: so programs that wait for people go first.  Every
 * SCHED_BOOST nanoseconds all go to the top, so none starves.
 */
#pragma once

#include "kernel/arch/spinlock.h"
#include "kernel/lib/types.h"

struct thread;

#define SCHED_LEVELS 4
#define SCHED_SLICE  (10 * NSEC_PER_MSEC) /* at level 0; doubles with each level */
#define SCHED_BOOST  (200 * NSEC_PER_MSEC)

/* Makes the running code the idle thread of this CPU. */
void sched_init(void);

/* Gives the CPU away; the caller stays runnable. */
void sched_yield(void);

/* Switches if cpu->need_resched: called on the way back to user mode. */
void sched_preempt(void);

/* The idle loop of this CPU; never returns. */
void sched_idle(void) NORETURN;

/* Sleeps for kernel threads: until clock_now() >= @when. */
void sched_sleep_until(nsec_t when);

/* Exponentially damped run-queue length, fixed point with 11 fraction bits: 1, 5, 15 minutes. */
void sched_loadavg(uint64_t avg[3]);

/* Threads that can run, the running ones included, without the idle threads. */
unsigned sched_runnable(void);

/* Context switches since boot. */
uint64_t sched_switches(void);

/* ---- for thread.c only ---- */

/* One lock for the queues and the state of every thread; held across the switch itself. */
extern struct spinlock run_lock;

/* Makes @t runnable and says so to the CPU if it matters. run_lock held. */
void sched_enqueue(struct thread *t);

/*
 * Gives the CPU to the next thread; the caller has set its own state. run_lock held,
 * and again when it returns.
 */
void sched_switch(void);

/* What a new thread does first: ends the switch that brought it here. */
void sched_finish_switch(void);
