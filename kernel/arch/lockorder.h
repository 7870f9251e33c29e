/*
 * lockorder.h - the rules of docs/locking.md, watched while the kernel runs: make DEBUG=1.
 *
 * Each CPU keeps a list of the spin locks that it holds, each thread one of its mutexes, both
 * with the place where each was taken.  What breaks a rule stops the machine and names the places.
 * Without DEBUG all of this is empty and costs nothing.
 */
#pragma once

#include "kernel/lib/types.h"

/* How a lock is taken. */
enum lock_way {
    LOCK_ORDERED, /* it comes after all that are held */
    LOCK_NESTED,  /* the same, or it is of one class with the last: the caller knows an order */
    LOCK_TRIED,   /* it was free: who does not wait cannot deadlock */
};

#ifdef DEBUG

#define LOCKS_HELD_MAX 12

struct locks_held {
    unsigned n;
    struct held_lock {
        const void *lock;
        const char *name;
        const void *where; /* the return address of the call that took it */
    } at[LOCKS_HELD_MAX];
};

/*
 * lock_take - note that @lock is being taken: before it is waited for, or once it was tried.
 * lock_drop - note that it is let go.
 * @held: the list of this CPU for a spin lock, of this thread for a mutex.
 * @name: of its class, which has to stand in the order (lockorder.c).
 */
void lock_take(struct locks_held *held, const void *lock, const char *name, const void *where,
               enum lock_way way);
void lock_drop(struct locks_held *held, const void *lock);

/* The caller may sleep, or wait for other CPUs: no spin lock is held, interrupts are on. */
void lock_may_wait(void);

/* The caller may touch user memory: so of mutexes only those are held that no fault takes. */
void lock_may_fault(void);

/* The current thread does what nobody may do with a lock held. @what: a verb with its object. */
void lock_holds_none(const char *what);

#else

struct locks_held {
};

static inline void
lock_take(struct locks_held *held UNUSED, const void *lock UNUSED, const char *name UNUSED,
          const void *where UNUSED, enum lock_way way UNUSED)
{
}

static inline void
lock_drop(struct locks_held *held UNUSED, const void *lock UNUSED)
{
}

static inline void
lock_may_wait(void)
{
}

static inline void
lock_may_fault(void)
{
}

static inline void
lock_holds_none(const char *what UNUSED)
{
}

#endif
