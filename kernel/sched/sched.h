/*
 * sched.h - which thread runs next.
 *
 * Multi-level feedback: SCHED_LEVELS queues, the first non-empty one runs,
 * round robin inside.  A thread that uses up its slice goes one level down, one that wakes from
 * sleep starts at the top: so programs that wait for people go first.  Every
 * SCHED_BOOST nanoseconds all go to the top, so none starves.  Each CPU has such queues.
 */
#pragma once

#include "kernel/arch/spinlock.h"
#include "kernel/lib/types.h"

struct thread;

#define SCHED_LEVELS 4
#define SCHED_SLICE  (10 * NSEC_PER_MSEC) /* at level 0; doubles with each level */
#define SCHED_BOOST  (200 * NSEC_PER_MSEC)

/* Makes the running code the idle thread of the boot CPU. */
void sched_init(void);

/* Starts the other processors that the firmware told of. Once, in a thread, after sched_init. */
void sched_start_cpus(void);

/*
 * sched_set_affinity - on which CPUs @t may run; it is on one of them before it sees user mode
 * again.
 * @allowed: bit n for CPU n.
 * Returns: 0, or -EINVAL: none of them exists.
 */
int sched_set_affinity(struct thread *t, uint32_t allowed) MUST_CHECK;

/* Gives the CPU away; the caller stays runnable. */
void sched_yield(void);

/*
 * The same, for a program that may do so again and again: what is left of its turn is the next
 * one.  With a new turn each time it would never sink to the level of those who compute.
 */
void sched_give_way(void);

/* Switches if cpu->need_resched: called on the way back to user mode. */
void sched_preempt(void);

/*
 * sched_go_on - the same between two steps of a long call, where it might sleep as well.
 * Returns: false if the thread is to end: what more it did nobody would see.
 */
bool sched_go_on(void);

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

/* ---- for thread.c and cpus.c only ---- */

/* What guards a thread's state: the lock of the run queue where it belongs now. */
void sched_lock(const struct thread *t);
void sched_unlock(const struct thread *t);
/* The same of the current thread, which may be another CPU's one moment later. */
void sched_lock_mine(void);

/* Makes @t, which slept, runnable where it suits. Its lock is held, and let go. */
void sched_make_runnable(struct thread *t);

/* If @t runs on another CPU, that enters the kernel soon. Its lock is held, and let go. */
void sched_poke(const struct thread *t);

/*
 * Gives the CPU to the next thread; the caller has set its own state, and returns when it runs
 * again.  sched_lock_mine() held, and let go.
 */
void sched_switch(void);

/* What a new thread does first: ends the switch that brought it here. */
void sched_end_switch(void);

/* The calling CPU, which has just been started, idles in @idle. */
void sched_init_cpu(struct thread *idle);
