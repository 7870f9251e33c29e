/*
 * mutex.h - mutual exclusion that sleeps.
 *
 * The order of all locks: docs/locking.md, and kernel/sched/lockorder.c, which watches it.
 */
#pragma once

#include "kernel/sched/waitq.h"

struct thread;

struct mutex {
    struct thread *owner; /* atomic; NULL: free */
    uint32_t sleepers;    /* atomic: threads in mutex_lock's slow way */
    struct waitq waiters;
    const char *name;
};

#define MUTEX_INIT(var, text)                      \
    {                                              \
        NULL, 0, WAITQ_INIT((var).waiters), (text) \
    }

void mutex_init(struct mutex *m, const char *name);
void mutex_lock(struct mutex *m); /* sleeps; not from interrupts */
/* With another of the same class held: docs/locking.md says in which order. */
void mutex_lock_nested(struct mutex *m);
bool mutex_try_lock(struct mutex *m) MUST_CHECK;
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m); /* by the current thread */
