/*
 * waitq.c - queues of threads that wait for something.
 *
 * A queue only knows who to wake; that the thing waited for is true, the sleeper sees for
 * itself (wait_event in waitq.h).  Lock order: the queue's lock, then the run queue's.
 */
#include "kernel/sched/waitq.h"

#include "kernel/arch/cpu.h"
#include "kernel/sched/thread.h"

void
waitq_init(struct waitq *q)
{
    q->lock = (struct spinlock)SPINLOCK_INIT("waitq");
    list_init(&q->waiters);
}

void
waitq_enter(struct waitq *q, struct waiter *w)
{
    w->thread = current_thread();
    w->queue = q;
    spin_lock(&q->lock);
    list_push_back(&q->waiters, &w->link);
    spin_unlock(&q->lock);
}

void
waitq_leave(struct waiter *w)
{
    spin_lock(&w->queue->lock);
    list_del(&w->link);
    spin_unlock(&w->queue->lock);
}

void
waitq_wake_all(struct waitq *q)
{
    struct waiter *w;

    spin_lock(&q->lock);
    list_for_each (w, &q->waiters, link)
        thread_wake(w->thread);
    spin_unlock(&q->lock);
}

void
waitq_wake_one(struct waitq *q)
{
    struct waiter *w;

    spin_lock(&q->lock);
    w = list_first(&q->waiters, struct waiter, link);
    if (w != NULL) {
        thread_wake(w->thread);
        /*
         * To the end, so that the next wake-up reaches somebody else while
         * this one is still on its way.
         */
        list_del(&w->link);
        list_push_back(&q->waiters, &w->link);
    }
    spin_unlock(&q->lock);
}
