/*
 * thread.c - threads: made, started, woken, ended.
 *
 * Which of the runnable ones runs is sched.c's business.  A thread that ends
 * cannot free the stack that it stands on: the next thread on that CPU does.
 */
#include "kernel/sched/thread.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/waitq.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"

/* First code of every thread, still inside the switch that started it. */
static void
thread_begin(void *arg)
{
    struct thread *t = arg;

    sched_finish_switch();
    t->entry(t->entry_arg);
    thread_exit();
}

static void
sleep_is_over(struct timeout *timeout)
{
    thread_wake(container_of(timeout, struct thread, sleep_timeout));
}

vaddr_t
thread_user_frame(const struct thread *t)
{
    return thread_stack_top(t) - ROUND_UP(sizeof(struct trapframe), 16);
}

struct thread *
thread_create(const char *name, void (*entry)(void *), void *arg)
{
    struct thread *t = kzalloc(sizeof(*t));

    if (t == NULL)
        return NULL;
    t->stack = (vaddr_t)kvmap_alloc(KSTACK_PAGES);
    if (t->stack == 0) {
        kfree(t);
        return NULL;
    }
    strlcpy(t->name, name, sizeof(t->name));
    t->entry = entry;
    t->entry_arg = arg;
    t->state = THREAD_SLEEPING;
    list_init(&t->run_link);
    timeout_init(&t->sleep_timeout, sleep_is_over);
    context_init(&t->context, thread_user_frame(t), thread_begin, t);
    return t;
}

void
thread_start(struct thread *t)
{
    spin_lock(&run_lock);
    ASSERT(t->state == THREAD_SLEEPING);
    sched_enqueue(t);
    spin_unlock(&run_lock);
}

void
thread_exit(void)
{
    struct thread *t = current_thread();

    spin_lock(&run_lock);
    t->state = THREAD_DEAD;
    ASSERT(this_cpu()->reap == NULL);
    this_cpu()->reap = t;
    sched_switch();
    panic("a dead thread runs");
}

void
thread_destroy(struct thread *t)
{
    kvmap_free((void *)t->stack, KSTACK_PAGES);
    kfree(t->fpu);
    kfree(t);
}

void
thread_wake(struct thread *t)
{
    spin_lock(&run_lock);
    if (t->state == THREAD_SLEEPING)
        sched_enqueue(t);
    else if (t->preparing)
        t->wake_pending = true;
    spin_unlock(&run_lock);
}

/* A signal has come: ends the sleep of @t if that is of such a kind. run_lock held. */
static void
disturb(struct thread *t, enum sleep_kind least)
{
    t->interrupted = true;
    if (t->state == THREAD_SLEEPING && t->sleep_kind >= least)
        sched_enqueue(t);
    else if (t->preparing)
        t->wake_pending = true;
}

void
thread_interrupt(struct thread *t)
{
    spin_lock(&run_lock);
    disturb(t, SLEEP_INTERRUPTIBLE);
    spin_unlock(&run_lock);
}

void
thread_doom(struct thread *t)
{
    spin_lock(&run_lock);
    t->doomed = true;
    disturb(t, SLEEP_KILLABLE);
    spin_unlock(&run_lock);
}

void
sched_prepare_sleep(void)
{
    struct thread *t = current_thread();

    spin_lock(&run_lock);
    t->preparing = true;
    t->wake_pending = false;
    spin_unlock(&run_lock);
}

void
sched_cancel_sleep(void)
{
    current_thread()->preparing = false;
}

/* Why a sleep should not begin, or has ended: 0 (a wake-up), -EINTR, -ETIMEDOUT. */
static int
sleep_verdict(const struct thread *t, enum sleep_kind kind, nsec_t deadline)
{
    if ((kind == SLEEP_INTERRUPTIBLE && t->interrupted) || (kind != SLEEP_FIRM && t->doomed))
        return -EINTR;
    if (deadline != UINT64_MAX && deadline <= clock_now())
        return -ETIMEDOUT;
    return 0;
}

int
sched_sleep(enum sleep_kind kind, nsec_t deadline)
{
    struct thread *t = current_thread();
    int verdict = sleep_verdict(t, kind, deadline);

    if (verdict != 0)
        return verdict;
    if (deadline != UINT64_MAX)
        timeout_set(&t->sleep_timeout, deadline);

    spin_lock(&run_lock);
    if (!t->wake_pending) {
        t->state = THREAD_SLEEPING;
        t->sleep_kind = kind;
        t->switches_voluntary++;
        sched_switch();
        t->sleep_kind = SLEEP_FIRM;
    }
    t->wake_pending = false;
    spin_unlock(&run_lock);

    if (deadline != UINT64_MAX)
        timeout_cancel(&t->sleep_timeout);
    return sleep_verdict(t, kind, deadline);
}

void
thread_times(const struct thread *t, nsec_t *user, nsec_t *system)
{
    nsec_t run = t->run_time;
    uint64_t ticks = t->ticks_user + t->ticks_system;

    if (t == current_thread())
        run += clock_now() - t->run_since;
    *user = ticks == 0 ? 0 : run / ticks * t->ticks_user;
    *system = run - *user;
}
