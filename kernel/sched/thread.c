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
#include "kernel/trace/trace.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"

#define SPARE_STACKS 8

/* First code of every thread, still inside the switch that started it. */
static void
thread_begin(void *arg)
{
    struct thread *t = arg;

    this_cpu()->irq_was_on = RFLAGS_IF;
    sched_end_switch();
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

/*
 * Stacks of the dead serve the living again: nothing has to be mapped, and no CPU asked to forget
 * what was.
 */
static struct spinlock spare_lock = SPINLOCK_INIT("spare stacks");
static vaddr_t spare_stacks[SPARE_STACKS]; /* guarded by spare_lock */
static unsigned nspare;                    /* the same */

/* 0: there is none. */
static vaddr_t
take_spare_stack(void)
{
    spin_lock(&spare_lock);
    vaddr_t stack = nspare > 0 ? spare_stacks[--nspare] : 0;
    spin_unlock(&spare_lock);
    return stack;
}

static vaddr_t
stack_alloc(void)
{
    vaddr_t stack = take_spare_stack();

    return stack != 0 ? stack : (vaddr_t)kvmap_alloc(KSTACK_PAGES);
}

static void
stack_free(vaddr_t stack)
{
    spin_lock(&spare_lock);
    bool kept = nspare < SPARE_STACKS;

    if (kept)
        spare_stacks[nspare++] = stack;
    spin_unlock(&spare_lock);
    if (!kept)
        kvmap_free((void *)stack, KSTACK_PAGES);
}

void
thread_drop_spare_stacks(void)
{
    vaddr_t stack;

    while ((stack = take_spare_stack()) != 0)
        kvmap_free((void *)stack, KSTACK_PAGES);
}

struct thread *
thread_create(const char *name, void (*entry)(void *), void *arg)
{
    struct thread *t = kzalloc(sizeof(*t));

    if (t == NULL)
        return NULL;
    t->stack = stack_alloc();
    if (t->stack == 0) {
        kfree(t);
        return NULL;
    }
    strlcpy(t->name, name, sizeof(t->name));
    t->entry = entry;
    t->entry_arg = arg;
    t->state = THREAD_SLEEPING;
    t->cpu = this_cpu()->id;
    t->affinity = UINT32_MAX;
    list_init(&t->run_link);
    timeout_init(&t->sleep_timeout, sleep_is_over);
    context_init(&t->context, thread_user_frame(t), thread_begin, t);
    return t;
}

void
thread_start(struct thread *t)
{
    if (t->task == NULL)
        t->trace_id = trace_name(t->name);
    sched_lock(t);
    ASSERT(t->state == THREAD_SLEEPING);
    sched_make_runnable(t);
}

void
thread_exit(void)
{
    struct thread *t = current_thread();

    lock_holds_none("the end of a thread");
    sched_lock_mine();
    t->state = THREAD_DEAD;
    ASSERT(this_cpu()->reap == NULL);
    this_cpu()->reap = t;
    sched_switch();
    panic("a dead thread runs");
}

static uint32_t exiting; /* A: threads that began to exit and are not freed, and borrowers */
static struct waitq exits = WAITQ_INIT(exits);

void
thread_borrow(void)
{
    __atomic_add_fetch(&exiting, 1, __ATOMIC_RELAXED);
}

void
thread_give_back(void)
{
    if (__atomic_sub_fetch(&exiting, 1, __ATOMIC_RELEASE) == 0)
        waitq_wake_all(&exits);
}

void
thread_begin_exit(void)
{
    current_thread()->exiting = true;
    thread_borrow();
}

void
thread_await_exits(void)
{
    wait_event(&exits, __atomic_load_n(&exiting, __ATOMIC_ACQUIRE) == 0);
}

void
thread_destroy(struct thread *t)
{
    bool counted = t->exiting;

    stack_free(t->stack);
    kfree(t->fpu);
    kfree(t);
    if (counted)
        thread_give_back();
}

void
thread_wake(struct thread *t)
{
    sched_lock(t);
    if (t->state == THREAD_SLEEPING) {
        sched_make_runnable(t);
        return;
    }
    if (t->preparing)
        t->wake_pending = true;
    sched_unlock(t);
}

/* A signal has come: ends the sleep of @t if that is of such a kind. */
static void
disturb(struct thread *t, enum sleep_kind least)
{
    sched_lock(t);
    t->interrupted = true;
    t->doomed |= least == SLEEP_KILLABLE;
    if (t->state == THREAD_SLEEPING && t->sleep_kind >= least) {
        sched_make_runnable(t);
        return;
    }
    if (t->preparing)
        t->wake_pending = true;
    sched_poke(t);
}

void
thread_interrupt(struct thread *t)
{
    disturb(t, SLEEP_INTERRUPTIBLE);
}

void
thread_doom(struct thread *t)
{
    disturb(t, SLEEP_KILLABLE);
}

void
sched_prepare_sleep(void)
{
    struct thread *t = current_thread();

    sched_lock(t);
    t->preparing = true;
    t->wake_pending = false;
    sched_unlock(t);
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

    lock_may_wait();
    if (verdict != 0)
        return verdict;
    if (deadline != UINT64_MAX)
        timeout_set(&t->sleep_timeout, deadline);

    sched_lock_mine();
    if (t->wake_pending) {
        t->wake_pending = false;
        sched_unlock(t);
    } else {
        t->state = THREAD_SLEEPING;
        t->sleep_kind = kind;
        t->switches_voluntary++;
        sched_switch();
    }

    if (deadline != UINT64_MAX)
        timeout_cancel(&t->sleep_timeout);
    return sleep_verdict(t, kind, deadline);
}

void
thread_times(const struct thread *t, nsec_t *user, nsec_t *system)
{
    sched_lock(t);
    nsec_t run = t->run_time;
    uint64_t ticks = t->ticks_user + t->ticks_system;

    if (cpus[t->cpu]->current == t)
        run += clock_now() - t->run_since;
    sched_unlock(t);
    *user = ticks == 0 ? 0 : run / ticks * t->ticks_user;
    *system = run - *user;
}
