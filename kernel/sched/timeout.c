/*
 * timeout.c - calls at a later time, in a list for each CPU, sorted by that time.
 *
 * SIMPLE: arming walks the list; real kernels use timer wheels (Varghese and Lauck 1987). There
 * are as many timeouts as threads that sleep with a deadline.
 *
 * Locks: timeout_lock is a leaf; callbacks run without it, in the timer interrupt.
 */
#include "kernel/sched/timeout.h"

#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"

static struct spinlock timeout_lock = SPINLOCK_INIT("timeouts");
static struct {
    struct list armed;       /* by time; not made yet while its link is 0 */
    struct timeout *running; /* its callback is being called */
} per_cpu[CPU_MAX];          /* guarded by timeout_lock */

static struct list *
armed_here(void)
{
    struct list *l = &per_cpu[this_cpu()->id].armed;

    if (l->next == NULL)
        list_init(l);
    return l;
}

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
    struct list *armed = armed_here();

    list_del(&t->link);
    t->when = when;
    list_for_each (pos, armed, link)
        if (pos->when > when)
            break;
    list_push_back(&pos->link, &t->link); /* in front of the first later one */
    bool first = armed->next == &t->link;
    irq_push_off();
    spin_unlock(&timeout_lock);
    if (first) /* the running thread's turn may end before that */
        clock_advance_alarm(when);
    irq_pop_off();
}

static bool
runs_elsewhere(const struct timeout *t)
{
    for (unsigned i = 0; i < cpu_count; i++)
        if (i != this_cpu()->id && per_cpu[i].running == t)
            return true;
    return false;
}

void
timeout_cancel(struct timeout *t)
{
    spin_lock(&timeout_lock);
    list_del(&t->link);
    while (runs_elsewhere(t)) {
        spin_unlock(&timeout_lock);
        cpu_relax();
        spin_lock(&timeout_lock);
        list_del(&t->link); /* it may have armed itself anew */
    }
    spin_unlock(&timeout_lock);
}

nsec_t
timeout_next(void)
{
    nsec_t when = UINT64_MAX;

    spin_lock(&timeout_lock);
    struct list *armed = armed_here();

    if (!list_empty(armed))
        when = list_first(armed, struct timeout, link)->when;
    spin_unlock(&timeout_lock);
    return when;
}

void
timeout_run(nsec_t now)
{
    struct timeout **running = &per_cpu[this_cpu()->id].running;

    for (;;) {
        spin_lock(&timeout_lock);
        struct timeout *t = list_first(armed_here(), struct timeout, link);

        *running = t != NULL && t->when <= now ? t : NULL;
        if (*running != NULL)
            list_del(&t->link);
        spin_unlock(&timeout_lock);
        if (*running == NULL)
            return;
        t->call(t);
    }
}
