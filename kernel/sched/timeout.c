/*
 * timeout.c - calls at a later time, in a list sorted by that time.
 *
 * SIMPLE: arming walks the list; real kernels use timer wheels (Varghese and Lauck 1987). There
 * are as many timeouts as threads that sleep with a deadline.
 *
 * Locks: timeout_lock is a leaf; callbacks run without it, in the timer interrupt.
 */
#include "kernel/sched/timeout.h"

#include "kernel/arch/clock.h"
#include "kernel/arch/spinlock.h"

static struct spinlock timeout_lock = SPINLOCK_INIT("timeouts");
static struct list armed = LIST_INIT(armed);

void
timeout_init(struct timeout *t, void (*call)(struct timeout *t))
{
    list_init(&t->link);
    t->call = call;
    t->when = UINT64_MAX;
}

void
timeout_set(struct timeout *t, nsec_t when)
{
    struct timeout *pos;

    spin_lock(&timeout_lock);
    list_del(&t->link);
    t->when = when;
    list_for_each (pos, &armed, link)
        if (pos->when > when)
            break;
    list_push_back(&pos->link, &t->link); /* in front of the first later one */
    if (armed.next == &t->link)
        clock_set_alarm(when);
    spin_unlock(&timeout_lock);
}

void
timeout_cancel(struct timeout *t)
{
    spin_lock(&timeout_lock);
    list_del(&t->link);
    spin_unlock(&timeout_lock);
}

nsec_t
timeout_next(void)
{
    nsec_t when = UINT64_MAX;

    spin_lock(&timeout_lock);
    if (!list_empty(&armed))
        when = list_first(&armed, struct timeout, link)->when;
    spin_unlock(&timeout_lock);
    return when;
}

void
timeout_run(nsec_t now)
{
    for (;;) {
        spin_lock(&timeout_lock);
        struct timeout *t = list_first(&armed, struct timeout, link);

        if (t == NULL || t->when > now) {
            spin_unlock(&timeout_lock);
            return;
        }
        list_del(&t->link);
        spin_unlock(&timeout_lock);
        t->call(t);
    }
}
