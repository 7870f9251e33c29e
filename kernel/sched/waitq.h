/*
 * waitq.h - sleeping until something is true.
 *
 * The pattern, in wait_event: stand in the queue, look at the condition, sleep
 * if it does not hold, look again.  Standing in the queue first is what makes a wake-up between
 * the look and the sleep count.  A condition may be looked at with no lock, or take its own.
 */
#pragma once

#include "kernel/arch/lockorder.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/list.h"

struct thread;

struct waitq {
    struct spinlock lock;
    struct list waiters;
};

#define WAITQ_INIT(name)                                  \
    {                                                     \
        SPINLOCK_INIT("waitq"), LIST_INIT((name).waiters) \
    }

/*
 * One thread's place in one queue; lives on the thread's stack. A thread may stand
 * in several at once (poll).
 */
struct waiter {
    struct list link;
    struct thread *thread;
    struct waitq *queue;
};

/* What ends a sleep, beside what is waited for. */
enum sleep_kind {
    SLEEP_FIRM,          /* nothing */
    SLEEP_KILLABLE,      /* the thread is to end */
    SLEEP_INTERRUPTIBLE, /* any signal */
};

void waitq_init(struct waitq *q);

/* Wake every thread in the queue; any context, also from interrupts. */
void waitq_wake_all(struct waitq *q);
/* Wake the one that waits longest. */
void waitq_wake_one(struct waitq *q);

void waitq_enter(struct waitq *q, struct waiter *w);
void waitq_leave(struct waiter *w);

/*
 * sched_prepare_sleep - from now on a wake-up makes the next sched_sleep return at once.
 * sched_sleep - sleep until woken.
 * @kind:     may a signal wake it too.
 * @deadline: clock_now() at which to give up; UINT64_MAX: never.
 * Returns: 0 when woken, -EINTR, or -ETIMEDOUT.  May return 0 without a
 *          reason: look at the condition.
 */
void sched_prepare_sleep(void);
int sched_sleep(enum sleep_kind kind, nsec_t deadline);

/* Sleep until @cond holds. Evaluates to 0, -EINTR or -ETIMEDOUT; no spin lock may be held. */
#define wait_event_full(q, cond, kind, deadline)    \
    ({                                              \
        struct waiter waiter_;                      \
        int err_ = 0;                               \
        lock_may_wait();                            \
        waitq_enter((q), &waiter_);                 \
        for (;;) {                                  \
            sched_prepare_sleep();                  \
            if (cond) {                             \
                err_ = 0;                           \
                break;                              \
            }                                       \
            if (err_ != 0)                          \
                break;                              \
            err_ = sched_sleep((kind), (deadline)); \
        }                                           \
        sched_cancel_sleep();                       \
        waitq_leave(&waiter_);                      \
        err_;                                       \
    })

#define wait_event(q, cond)          ((void)wait_event_full(q, cond, SLEEP_FIRM, UINT64_MAX))
#define wait_event_killable(q, cond) wait_event_full(q, cond, SLEEP_KILLABLE, UINT64_MAX)
#define wait_event_interruptible(q, cond) \
    wait_event_full(q, cond, SLEEP_INTERRUPTIBLE, UINT64_MAX)

void sched_cancel_sleep(void);
