/*
 * mutex.c - a lock whose waiters sleep.
 *
 * owner is NULL or the thread that holds it; it changes by compare-and-exchange, so taking a
 * free lock and letting go of one that nobody waits for cost a few instructions.
 */
#include "kernel/sched/mutex.h"

#include "kernel/arch/cpu.h"
#include "kernel/lib/assert.h"
#include "kernel/sched/thread.h"

void
mutex_init(struct mutex *m, const char *name)
{
    m->owner = NULL;
    m->name = name;
    m->sleepers = 0;
    waitq_init(&m->waiters);
}

static bool
try_to_take(struct mutex *m)
{
    struct thread *nobody = NULL;

    return __atomic_compare_exchange_n(&m->owner, &nobody, current_thread(), false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

bool
mutex_try_lock(struct mutex *m)
{
    bool taken = try_to_take(m);

    if (taken)
        lock_take(&current_thread()->locks, m, m->name, __builtin_return_address(0),
                  LOCK_TRIED);
    return taken;
}

static void
lock(struct mutex *m, const void *where, enum lock_way way)
{
    lock_take(&current_thread()->locks, m, m->name, where, way);
    ASSERT(!mutex_held(m));
    if (likely(try_to_take(m)))
        return;

    /* Announced before the next try, so that an unlock in between sees us and wakes. */
    __atomic_add_fetch(&m->sleepers, 1, __ATOMIC_SEQ_CST);
    wait_event(&m->waiters, try_to_take(m));
    __atomic_sub_fetch(&m->sleepers, 1, __ATOMIC_SEQ_CST);
}

void
mutex_lock(struct mutex *m)
{
    lock_may_wait();
    lock(m, __builtin_return_address(0), LOCK_ORDERED);
}

void
mutex_lock_nested(struct mutex *m)
{
    lock_may_wait();
    lock(m, __builtin_return_address(0), LOCK_NESTED);
}

void
mutex_unlock(struct mutex *m)
{
    ASSERT(mutex_held(m));
    lock_drop(&current_thread()->locks, m);
    __atomic_store_n(&m->owner, NULL, __ATOMIC_SEQ_CST);
    if (unlikely(__atomic_load_n(&m->sleepers, __ATOMIC_SEQ_CST) != 0))
        waitq_wake_one(&m->waiters);
}

bool
mutex_held(const struct mutex *m)
{
    return READ_ONCE(m->owner) == current_thread();
}
