/*
 * sched.c - which thread runs next: multi-level feedback (sched.h tells the rules).
 *
 * One lock, run_lock, guards the queues and every thread's state.  It is held across the
 * switch itself: the thread that is switched to lets go of it.  So a thread is
 * never picked up by somebody else before its registers are saved.
 *
 * The kernel is not preempted: a switch happens where code sleeps, and on
 * the way back to user mode.
 */
#include "kernel/sched/sched.h"

#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/fpu.h"
#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"
#include "mm/pagetable.h"

#define LOAD_PERIOD (5 * NSEC_PER_SEC)

struct spinlock run_lock = SPINLOCK_INIT("run queue");

static struct list queues[SCHED_LEVELS];
static unsigned queued;
static nsec_t next_boost;
static uint64_t switches;
static struct thread boot_thread; /* the flow of control that boots, then idles */

/* loadavg: exp(-5s/1min), exp(-5s/5min), exp(-5s/15min) in units of 1/2048. */
static const uint64_t load_decay[3] = {1884, 2014, 2037};
static uint64_t load[3];
static nsec_t next_load;

static nsec_t
slice_of(unsigned level)
{
    return SCHED_SLICE << level;
}

void
sched_enqueue(struct thread *t)
{
    struct cpu *c = this_cpu();

    ASSERT(spin_held(&run_lock));
    if (t->state == THREAD_SLEEPING)
        t->level = 0; /* it waited for something: it goes first */
    t->state = THREAD_RUNNABLE;
    list_push_back(&queues[t->level], &t->run_link);
    queued++;
    if (c->current == c->idle || c->current->level > t->level)
        c->need_resched = true;
}

/* Every thread to the top, so that none waits for ever below the others. */
static void
boost_all(nsec_t now)
{
    if (now < next_boost)
        return;
    next_boost = now + SCHED_BOOST;
    for (unsigned level = 1; level < SCHED_LEVELS; level++) {
        struct list *l;

        while ((l = list_pop_front(&queues[level])) != NULL) {
            list_entry(l, struct thread, run_link)->level = 0;
            list_push_back(&queues[0], l);
        }
    }
}

static struct thread *
pick_next(void)
{
    for (unsigned level = 0; level < SCHED_LEVELS; level++) {
        struct list *l = list_pop_front(&queues[level]);

        if (l != NULL) {
            queued--;
            return list_entry(l, struct thread, run_link);
        }
    }
    return this_cpu()->idle;
}

/* The processor state that belongs to user mode goes with its thread. */
static void
switch_user_state(struct thread *from, struct thread *to)
{
    if (from->fpu != NULL) {
        fpu_save(from->fpu);
        from->user_fs = cpu_get_user_fs();
        from->user_gs = cpu_get_user_gs();
    }
    if (to->fpu != NULL) {
        fpu_restore(to->fpu);
        cpu_set_user_fs(to->user_fs);
        cpu_set_user_gs(to->user_gs);
    }
    /* A kernel thread has no user half and lets the last one stand: one TLB flush saved. */
    if (to->pagetable != NULL)
        pagetable_load(to->pagetable);
    if (to->stack != 0)
        cpu_set_kernel_stack(thread_stack_top(to));
}

void
sched_switch(void)
{
    struct cpu *c = this_cpu();
    struct thread *from = c->current;
    nsec_t now = clock_now();

    ASSERT(spin_held(&run_lock) && c->irq_off_depth == 1);
    boost_all(now); /* here too: threads that switch often never see their slice end */

    struct thread *to = pick_next();

    c->need_resched = false;
    from->run_time += now - from->run_since;
    to->run_since = now;
    to->slice_end = now + slice_of(to->level);
    if (from == to)
        return;

    bool irq_was_on = c->irq_was_on; /* belongs to the thread, not to the CPU */

    switches++;
    switch_user_state(from, to);
    c->current = to;
    clock_set_alarm(to == c->idle ? timeout_next() : MIN(timeout_next(), to->slice_end));
    context_switch(&from->context, &to->context);
    this_cpu()->irq_was_on = irq_was_on;
    if (this_cpu()->reap != NULL && this_cpu()->reap != from) {
        struct thread *dead = this_cpu()->reap;

        this_cpu()->reap = NULL;
        thread_destroy(dead);
    }
}

void
sched_finish_switch(void)
{
    struct thread *dead = this_cpu()->reap;

    this_cpu()->reap = NULL;
    this_cpu()->irq_was_on = true;
    spin_unlock(&run_lock);
    if (dead != NULL)
        thread_destroy(dead);
}

void
sched_yield(void)
{
    struct thread *t = current_thread();

    spin_lock(&run_lock);
    if (t != this_cpu()->idle)
        sched_enqueue(t);
    sched_switch();
    spin_unlock(&run_lock);
}

void
sched_preempt(void)
{
    if (likely(!this_cpu()->need_resched))
        return;
    current_thread()->switches_forced++;
    sched_yield();
}

static void
sample_load(nsec_t now)
{
    uint64_t n = sched_runnable();

    for (; next_load <= now; next_load += LOAD_PERIOD)
        for (unsigned i = 0; i < 3; i++)
            load[i] = (load[i] * load_decay[i] + n * (2048 - load_decay[i]) * 2048) / 2048;
}

/* The timer interrupt: due timeouts, the end of a slice, the next alarm. */
static void
sched_timer(struct trapframe *tf)
{
    struct cpu *c = this_cpu();
    struct thread *t = c->current;
    nsec_t now = clock_now();

    if (trap_from_user(tf))
        t->ticks_user++;
    else
        t->ticks_system++;
    timeout_run(now);

    spin_lock(&run_lock);
    sample_load(now);
    boost_all(now);
    if (t != c->idle && now >= t->slice_end) {
        if (queued > 0) {
            t->level = MIN(t->level + 1, SCHED_LEVELS - 1);
            c->need_resched = true;
        }
        t->slice_end = now + slice_of(t->level);
    }
    clock_set_alarm(t == c->idle ? timeout_next() : MIN(timeout_next(), t->slice_end));
    spin_unlock(&run_lock);
}

void
sched_init(void)
{
    struct cpu *c = this_cpu();

    for (unsigned i = 0; i < SCHED_LEVELS; i++)
        list_init(&queues[i]);
    strlcpy(boot_thread.name, "idle", sizeof(boot_thread.name));
    boot_thread.state = THREAD_RUNNABLE;
    boot_thread.level = SCHED_LEVELS - 1;
    list_init(&boot_thread.run_link);
    timeout_init(&boot_thread.sleep_timeout, NULL);
    c->current = c->idle = &boot_thread;
    next_load = LOAD_PERIOD;
    trap_set_handler(IRQ_TIMER, sched_timer);
}

void
sched_idle(void)
{
    for (;;) {
        sched_yield();
        irq_push_off();
        if (queued == 0)
            cpu_halt_until_interrupt();
        irq_pop_off();
    }
}

void
sched_sleep_until(nsec_t when)
{
    while (clock_now() < when) {
        sched_prepare_sleep();
        (void)sched_sleep(SLEEP_FIRM, when);
        sched_cancel_sleep();
    }
}

unsigned
sched_runnable(void)
{
    return queued + (this_cpu()->current != this_cpu()->idle);
}

uint64_t
sched_switches(void)
{
    return switches;
}

void
sched_loadavg(uint64_t avg[3])
{
    spin_lock(&run_lock);
    sample_load(clock_now());
    memcpy(avg, load, sizeof(load));
    spin_unlock(&run_lock);
}
