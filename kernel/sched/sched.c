/*
 * sched.c - which thread runs next, and where: multi-level feedback (sched.h tells the rules).
 *
 * Each CPU has a run queue.  Its lock guards the queue and the state of every thread that runs
 * there, waits there or slept there last (thread->cpu).  It is held across the switch itself: the
 * thread that is switched to lets go of it.  So a thread is never picked up by somebody else
 * before its registers are saved.
 *
 * A thread that wakes goes to an idle CPU if there is one, else where it ran before; a CPU that
 * has nothing to do takes threads from the others' queues.
 *
 * The kernel is not preempted: a switch happens where code sleeps, on the way back to user mode,
 * and where a long call lets others run between two steps.
 */
#include "kernel/sched/sched.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/apic.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/fpu.h"
#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"
#include "kernel/trace/trace.h"
#include "mm/pagetable.h"

#define LOAD_PERIOD (5 * NSEC_PER_SEC)

struct runq {
    struct spinlock lock;
    struct list queues[SCHED_LEVELS];
    unsigned queued;
    nsec_t next_boost;
    uint64_t switches;
};

static struct runq runqs[CPU_MAX];
static struct thread boot_thread; /* the flow of control that boots, then idles */

/* loadavg: exp(-5s/1min), exp(-5s/5min), exp(-5s/15min) in units of 1/2048. */
static const uint64_t load_decay[3] = {1884, 2014, 2037};
static struct spinlock load_lock = SPINLOCK_INIT("load average"); /* guards the two */
static uint64_t load[3];
static nsec_t next_load;

static nsec_t
slice_of(unsigned level)
{
    return SCHED_SLICE << level;
}

/* How long @t, whose turn it is, may run. */
static nsec_t
turn_of(struct thread *t)
{
    nsec_t full = slice_of(t->level), left = t->turn_left;

    t->turn_left = 0;
    return left != 0 ? MIN(left, full) : full;
}

static struct runq *
my_runq(void)
{
    return &runqs[this_cpu()->id];
}

void
sched_lock(const struct thread *t)
{
    for (;;) {
        unsigned cpu = READ_ONCE(t->cpu);

        spin_lock(&runqs[cpu].lock);
        if (likely(t->cpu == cpu))
            return;
        spin_unlock(&runqs[cpu].lock); /* it has moved meanwhile */
    }
}

void
sched_unlock(const struct thread *t)
{
    spin_unlock(&runqs[t->cpu].lock);
}

/* ---- the queue of a CPU, its lock held ---- */

/* Returns the CPU that is to look at its queue, or NULL: it goes on with what it does. */
static struct cpu *
push(struct runq *q, struct thread *t)
{
    struct cpu *c = cpus[t->cpu];

    ASSERT(spin_held(&q->lock) && t->state == THREAD_RUNNABLE);
    list_push_back(&q->queues[t->level], &t->run_link);
    q->queued++;
    if (c->current != c->idle && c->current->level <= t->level)
        return NULL;
    c->need_resched = true;
    return c;
}

/* The message is sent without locks: where processors take turns, sending it may end a turn. */
static void
send_resched(const struct cpu *c)
{
    if (c != NULL && c != this_cpu())
        apic_send(c->apic_id, IRQ_RESCHED);
}

static void
take_out(struct runq *q, struct thread *t)
{
    list_del(&t->run_link);
    q->queued--;
}

/* Every thread to the top, so that none waits for ever below the others. */
static void
boost_all(struct runq *q, nsec_t now)
{
    if (now < q->next_boost)
        return;
    q->next_boost = now + SCHED_BOOST;
    for (unsigned level = 1; level < SCHED_LEVELS; level++) {
        struct list *l;

        while ((l = list_pop_front(&q->queues[level])) != NULL) {
            list_entry(l, struct thread, run_link)->level = 0;
            list_push_back(&q->queues[0], l);
        }
    }
}

/* The first thread in @q that may run on @cpu, or NULL. */
static struct thread *
first_for(struct runq *q, unsigned cpu)
{
    struct thread *t;

    for (unsigned level = 0; level < SCHED_LEVELS && q->queued > 0; level++)
        list_for_each (t, &q->queues[level], run_link)
            if (t->affinity & 1U << cpu)
                return t;
    return NULL;
}

/* ---- which CPU ---- */

static bool
idles(unsigned cpu)
{
    const struct cpu *c = cpus[cpu];

    return READ_ONCE(c->current) == c->idle && READ_ONCE(runqs[cpu].queued) == 0;
}

/* Only a hint is asked of the others' queues, so they are looked at without their locks. */
static unsigned
choose_cpu(const struct thread *t)
{
    unsigned best = CPU_MAX;

    if ((t->affinity & 1U << t->cpu) && idles(t->cpu))
        return t->cpu;
    for (unsigned i = 0; i < cpu_count; i++) {
        if (!(t->affinity & 1U << i))
            continue;
        if (idles(i))
            return i;
        if (best == CPU_MAX || runqs[i].queued < runqs[best].queued)
            best = i;
    }
    return t->affinity & 1U << t->cpu ? t->cpu : best;
}

/* Takes a thread from another CPU's queue; NULL: there is none, or its queue is in use. */
static struct thread *
steal(void)
{
    unsigned me = this_cpu()->id;
    struct thread *t = NULL;

    for (unsigned i = 1; i < cpu_count && t == NULL; i++) {
        struct runq *q = &runqs[(me + i) % cpu_count];

        /* Not waiting: the other CPU may be on its way to our queue. */
        if (READ_ONCE(q->queued) == 0 || !spin_try_lock(&q->lock))
            continue;
        t = first_for(q, me);
        if (t != NULL) {
            take_out(q, t);
            t->cpu = me;
        }
        spin_unlock(&q->lock);
    }
    return t;
}

void
sched_make_runnable(struct thread *t)
{
    unsigned to = choose_cpu(t);

    ASSERT(spin_held(&runqs[t->cpu].lock) && list_empty(&t->run_link));
    t->state = THREAD_RUNNABLE;
    t->level = 0; /* it waited for something: it goes first */
    t->turn_left = 0;
    while (to != t->cpu) {
        unsigned from = t->cpu;

        WRITE_ONCE(t->cpu, to);
        spin_unlock(&runqs[from].lock);
        spin_lock(&runqs[to].lock);
        if (!(t->affinity & 1U << to)) /* forbidden while neither queue was held */
            to = choose_cpu(t);
    }

    struct cpu *c = push(&runqs[to], t);

    spin_unlock(&runqs[to].lock);
    send_resched(c);
}

void
sched_poke(const struct thread *t)
{
    struct cpu *c = cpus[t->cpu];
    bool runs = c->current == t;

    spin_unlock(&runqs[c->id].lock);
    if (runs)
        send_resched(c);
}

int
sched_set_affinity(struct thread *t, uint32_t allowed)
{
    allowed &= (1U << cpu_count) - 1;
    if (allowed == 0)
        return -EINVAL;
    sched_lock(t);
    struct runq *q = &runqs[t->cpu];

    t->affinity = allowed;
    if (allowed & 1U << t->cpu) {
        spin_unlock(&q->lock);
    } else if (!list_empty(&t->run_link)) {
        take_out(q, t);
        sched_make_runnable(t);
    } else {
        /* If it runs, it moves on its way to user mode; if it sleeps, when it wakes. */
        if (cpus[t->cpu]->current == t)
            cpus[t->cpu]->need_resched = true;
        sched_poke(t);
    }
    return 0;
}

/* ---- switching ---- */

void
thread_save_user_state(void)
{
    struct thread *t = current_thread();

    if (t->fpu == NULL)
        return;
    fpu_save(t->fpu);
    t->user_fs = cpu_get_user_fs();
    t->user_gs = cpu_get_user_gs();
}

/* The processor state that belongs to user mode goes with its thread. */
static void
switch_user_state(struct thread *to)
{
    thread_save_user_state();
    if (to->fpu != NULL) {
        fpu_restore(to->fpu);
        cpu_set_user_fs(to->user_fs);
        cpu_set_user_gs(to->user_gs);
    }
    /*
     * Without a space of its own it gets the kernel's table: so a CPU that is idle remembers
     * nothing of a user's, and need not be asked to forget.
     */
    pagetable_load(to->pagetable);
    if (to->stack != 0)
        cpu_set_kernel_stack(thread_stack_top(to));
}

/* At the end of the running thread's turn, or before it. Interrupts off, no lock held. */
static void
set_alarm(void)
{
    const struct cpu *c = this_cpu();
    nsec_t next = timeout_next();

    clock_set_alarm(c->current == c->idle ? next : MIN(next, c->current->slice_end));
}

static struct thread *
pick_next(struct runq *q)
{
    struct thread *t = first_for(q, this_cpu()->id);

    if (t != NULL)
        take_out(q, t);
    else
        t = steal();
    return t != NULL ? t : this_cpu()->idle;
}

void
sched_switch(void)
{
    struct cpu *c = this_cpu();
    struct runq *q = my_runq();
    struct thread *from = c->current;
    nsec_t now = clock_now();

    ASSERT(spin_held(&q->lock) && c->irq_off_depth == 1);
    boost_all(q, now); /* here too: threads that switch often never see their slice end */
    c->need_resched = false;

    struct thread *to = pick_next(q);

    from->run_time += now - from->run_since;
    to->run_since = now;
    to->slice_end = now + turn_of(to);
    if (from != to) {
        unsigned irq_was_on = c->irq_was_on; /* belongs to the thread, not to the CPU */

        q->switches++;
        trace_switch(to->trace_id, from->trace_id);
        switch_user_state(to);
        c->current = to;
        c->trace_id = to->trace_id;
        context_switch(&from->context, &to->context);
        this_cpu()->irq_was_on = irq_was_on; /* perhaps another CPU */
    }
    sched_end_switch();
}

void
sched_end_switch(void)
{
    struct cpu *c = this_cpu();
    struct thread *dead = c->reap, *emigrant = c->emigrant;

    c->reap = c->emigrant = NULL;
    irq_push_off();
    spin_unlock(&my_runq()->lock);
    set_alarm();
    irq_pop_off();
    if (dead != NULL)
        thread_destroy(dead);
    if (emigrant != NULL) {
        sched_lock(emigrant);
        sched_make_runnable(emigrant);
    }
}

void
sched_lock_mine(void)
{
    irq_push_off(); /* so that it stays this CPU's */
    spin_lock(&my_runq()->lock);
    irq_pop_off();
}

void
sched_yield(void)
{
    struct cpu *c;
    struct thread *t = current_thread();

    sched_lock_mine();
    c = this_cpu();
    if (t != c->idle && (t->affinity & 1U << c->id))
        (void)push(my_runq(), t);
    else if (t != c->idle)
        c->emigrant = t;
    sched_switch();
}

void
sched_give_way(void)
{
    struct thread *t = current_thread();
    nsec_t now = clock_now(), end = t->slice_end;

    t->turn_left = end > now ? end - now : 0;
    sched_yield();
}

void
sched_preempt(void)
{
    if (likely(!this_cpu()->need_resched))
        return;
    current_thread()->switches_forced++;
    sched_yield();
}

bool
sched_go_on(void)
{
    sched_preempt();
    return !current_thread()->doomed;
}

static void
sample_load(nsec_t now)
{
    uint64_t n = sched_runnable();

    spin_lock(&load_lock);
    for (; next_load <= now; next_load += LOAD_PERIOD)
        for (unsigned i = 0; i < 3; i++)
            load[i] = (load[i] * load_decay[i] + n * (2048 - load_decay[i]) * 2048) / 2048;
    spin_unlock(&load_lock);
}

/* Threads wait here, and there a CPU has nothing to do: it comes and takes one. */
static void
wake_an_idle_cpu(void)
{
    for (unsigned i = 0; i < cpu_count; i++)
        if (idles(i)) {
            send_resched(cpus[i]);
            return;
        }
}

/* The timer interrupt: due timeouts, the end of a slice, the next alarm. */
static void
sched_timer(struct trapframe *tf)
{
    struct cpu *c = this_cpu();
    struct runq *q = my_runq();
    struct thread *t = c->current;
    nsec_t now = clock_now();

    if (trap_from_user(tf))
        t->ticks_user++;
    else
        t->ticks_system++;
    timeout_run(now);
    sample_load(now);

    spin_lock(&q->lock);
    boost_all(q, now);
    if (t != c->idle && now >= t->slice_end) {
        if (q->queued > 0) {
            t->level = MIN(t->level + 1, SCHED_LEVELS - 1);
            c->need_resched = true;
        }
        t->slice_end = now + slice_of(t->level);
    }
    bool crowded = q->queued > 0;
    spin_unlock(&q->lock);
    if (crowded)
        wake_an_idle_cpu();
    set_alarm();
}

/* need_resched was set before the message: nothing is left to do. */
static void
on_resched(struct trapframe *tf UNUSED)
{
}

void
sched_init(void)
{
    for (unsigned i = 0; i < CPU_MAX; i++) {
        runqs[i].lock = (struct spinlock)SPINLOCK_INIT("run queue");
        for (unsigned level = 0; level < SCHED_LEVELS; level++)
            list_init(&runqs[i].queues[level]);
    }
    strlcpy(boot_thread.name, "idle", sizeof(boot_thread.name));
    list_init(&boot_thread.run_link);
    timeout_init(&boot_thread.sleep_timeout, NULL);
    sched_init_cpu(&boot_thread);
    next_load = LOAD_PERIOD;
    trap_set_handler(IRQ_TIMER, sched_timer);
    trap_set_handler(IRQ_RESCHED, on_resched);
}

void
sched_init_cpu(struct thread *idle)
{
    struct cpu *c = this_cpu();

    idle->state = THREAD_RUNNABLE;
    idle->level = SCHED_LEVELS - 1;
    idle->cpu = c->id;
    idle->run_since = clock_now();
    c->current = c->idle = idle;
}

void
sched_idle(void)
{
    /* The boot's were off.  Who idles buries threads too, and then waits for the other CPUs. */
    __asm__ volatile("sti" ::: "memory");
    for (;;) {
        sched_yield();
        irq_push_off();
        if (my_runq()->queued == 0 && !this_cpu()->need_resched)
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
    unsigned n = 0;

    for (unsigned i = 0; i < cpu_count; i++)
        n += READ_ONCE(runqs[i].queued) + (READ_ONCE(cpus[i]->current) != cpus[i]->idle);
    return n;
}

uint64_t
sched_switches(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < cpu_count; i++)
        n += READ_ONCE(runqs[i].switches);
    return n;
}

void
sched_loadavg(uint64_t avg[3])
{
    sample_load(clock_now());
    spin_lock(&load_lock);
    memcpy(avg, load, sizeof(load));
    spin_unlock(&load_lock);
}
