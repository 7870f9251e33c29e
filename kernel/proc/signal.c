/*
 * signal.c - signals: sent, pending, delivered.
 *
 *     signal_send --> pending --> thread->interrupted --> signal_deliver, on the way to user mode
 *                                                           |-> handler (sigframe.c)
 *                                                           |-> end the process
 *                                                           |-> stop until SIGCONT
 *                                                           '-> ignored
 *
 * Contracts: POSIX 2.4 "Signal Concepts"; signal(7).
 *
 * Locks: proc_lock for everything that is pending, for masks and dispositions.
 */
#include "kernel/proc/signal.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/sched.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/restart.h"
#include "kernel/proc/process.h"
#include "kernel/trace/trace.h"
#include "mm/kmalloc.h"
#include "mm/space.h"

struct sigqueued {
    struct list link;
    struct siginfo info;
};

#define FAULT_SIGNALS                                                                       \
    (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) | \
     SIGBIT(SIGSYS))
#define STOP_SIGNALS (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))

enum signal_default
signal_default_action(int sig)
{
    switch (sig) {
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH:
        return SIGNAL_IGNORE;
    case SIGCONT:
        return SIGNAL_CONTINUE;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return SIGNAL_STOP;
    case SIGQUIT:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGSEGV:
    case SIGXCPU:
    case SIGXFSZ:
    case SIGSYS:
        return SIGNAL_CORE;
    default:
        return SIGNAL_TERMINATE;
    }
}

void
sigpending_init(struct sigpending *q)
{
    q->set = 0;
    q->length = 0;
    list_init(&q->queue);
}

/* Takes out all of the signals in @set. proc_lock held. */
static void
discard(struct sigpending *q, sigset_t set)
{
    struct sigqueued *e, *next;

    list_for_each_safe(e, next, &q->queue, link)
    {
        if (!(SIGBIT(e->info.signo) & set))
            continue;
        list_del(&e->link);
        q->length--;
        kfree(e);
    }
    q->set &= ~set;
}

void
signal_flush(struct sigpending *q)
{
    discard(q, ~0UL);
}

bool
signal_ignored_locked(struct process *p, int sig)
{
    uint64_t handler = p->actions[sig - 1].handler;

    if (handler == SIG_IGN)
        return true;
    return handler == SIG_DFL && signal_default_action(sig) == SIGNAL_IGNORE;
}

/* The set that @t has pending and does not block. */
static sigset_t
deliverable(const struct task *t)
{
    return (t->pending.set | t->process->pending.set) & ~t->blocked;
}

bool
signal_due_locked(const struct task *t)
{
    return deliverable(t) != 0 || task_ends_locked(t) || t->process->stopped;
}

void
signal_update_locked(struct task *t)
{
    if (signal_due_locked(t))
        thread_interrupt(t->thread);
    else
        t->thread->interrupted = t->thread->doomed;
}

void
signal_retarget_locked(struct process *p)
{
    struct task *t;

    list_for_each (t, &p->tasks, link)
        if (!t->ending && (p->pending.set & ~t->blocked) != 0)
            thread_interrupt(t->thread);
}

/* ---- sending ---- */

/* How many are queued at @p and its threads. */
static unsigned
queue_length(const struct process *p)
{
    const struct task *t;
    unsigned n = p->pending.length;

    list_for_each (t, &p->tasks, link)
        n += t->pending.length;
    return n;
}

/*
 * What @p may have queued. Standard signals are not counted, unless sigqueue() made them: there
 * is one of each at most. SIMPLE: Linux counts all processes of a user together.
 */
static unsigned
queue_limit(const struct process *p, int sig, const struct siginfo *info)
{
    if (sig < SIGRTMIN && (info == NULL || info->code >= 0))
        return UINT32_MAX;
    return (unsigned)MIN(p->rlimits[RLIMIT_SIGPENDING].soft, SIGPENDING_MAX);
}

/*
 * Adds to a pending set of @p. A signal that cannot be queued is pending all the same, without its
 * siginfo, unless that would lose one: a real-time signal that was not sent with kill() is
 * refused with -EAGAIN.
 */
static int
enqueue(const struct process *p, struct sigpending *q, int sig, const struct siginfo *info)
{
    struct sigqueued *e = NULL;

    if (sig < SIGRTMIN && (q->set & SIGBIT(sig)))
        return 0;
    if (queue_length(p) < queue_limit(p, sig, info))
        e = kzalloc(sizeof(*e));
    if (e == NULL && sig >= SIGRTMIN && info != NULL && info->code != SI_USER)
        return -EAGAIN;
    q->set |= SIGBIT(sig);
    if (e == NULL)
        return 0;
    if (info != NULL)
        e->info = *info;
    else
        e->info.code = SI_KERNEL;
    e->info.signo = sig;
    list_push_back(&q->queue, &e->link);
    q->length++;
    return 0;
}

/*
 * Stop signals and SIGCONT undo each other when they are sent, whatever is
 * done about them later.
 */
static void
cancel_opposites(struct process *p, int sig)
{
    sigset_t opposites = sig == SIGCONT               ? STOP_SIGNALS
                         : STOP_SIGNALS & SIGBIT(sig) ? SIGBIT(SIGCONT)
                                                      : 0;
    struct task *t;

    discard(&p->pending, opposites);
    list_for_each (t, &p->tasks, link)
        discard(&t->pending, opposites);
    if ((sig == SIGCONT || sig == SIGKILL) && p->stopped) {
        p->stopped = p->stopping = false;
        if (sig == SIGCONT) {
            p->report_continue = true;
            p->report_stop = false;
            if (p->parent != NULL) {
                struct siginfo info = {.signo = SIGCHLD,
                                       .code = CLD_CONTINUED,
                                       .child = {.pid = p->pid, .status = SIGCONT}};

                if (!(p->parent->actions[SIGCHLD - 1].flags & SA_NOCLDSTOP))
                    (void)signal_send_locked(p->parent, SIGCHLD, &info);
                waitq_wake_all(&p->parent->wait);
            }
        }
        waitq_wake_all(&p->continued);
    }
}

/*
 * A signal that nobody will ever see needs no queue, unless it is blocked or awaited: it may be
 * caught by then.
 */
static bool
dropped(const struct task *t, int sig)
{
    return !((t->blocked | t->awaited) & SIGBIT(sig)) && signal_ignored_locked(t->process, sig);
}

/*
 * The thread that is to take a signal sent to @p: one that does not block it, and has nothing
 * else to do already, the first of them all before others. NULL: all block it.
 */
static struct task *
choose_taker(struct process *p, int sig)
{
    struct task *t, *best = NULL;

    list_for_each (t, &p->tasks, link) {
        if (t->ending || (t->blocked & SIGBIT(sig)))
            continue;
        if (best == NULL || (best->thread->interrupted && !t->thread->interrupted))
            best = t;
    }
    return best;
}

/* SIGKILL: no thread has a say. */
static void
doom(struct process *p)
{
    struct space *s = process_space_locked(p);
    struct task *t;

    /* Who shares its memory (the parent of a vforked child) lives on and may wait for memory. */
    if (s != NULL && !process_shares_space_locked(p))
        s->dying = true;
    list_for_each (t, &p->tasks, link)
        thread_doom(t->thread);
}

/* init dies of nothing, and stops for nothing, that it does not catch. */
static bool
spared(const struct process *p, int sig)
{
    return p == init_process && sig != SIGCHLD && p->actions[sig - 1].handler == SIG_DFL;
}

int
signal_send_locked(struct process *p, int sig, const struct siginfo *info)
{
    struct task *taker;
    int err;

    ASSERT(spin_held(&proc_lock) && sig >= 1 && sig <= NSIG);
    if (p->state == PROCESS_ZOMBIE || list_empty(&p->tasks))
        return 0;
    if (spared(p, sig))
        return 0;
    cancel_opposites(p, sig);
    taker = choose_taker(p, sig);
    if (taker != NULL && dropped(taker, sig))
        return 0;
    err = enqueue(p, &p->pending, sig, info);
    if (err != 0)
        return err;
    trace_signal(sig, 0, p->pid);
    if (sig == SIGKILL)
        doom(p);
    else if (taker != NULL)
        thread_interrupt(taker->thread);
    return 0;
}

int
signal_send_task_locked(struct task *t, int sig, const struct siginfo *info)
{
    if (sig == SIGKILL)
        return signal_send_locked(t->process, sig, info); /* it is never one thread's alone */
    if (spared(t->process, sig))
        return 0;
    cancel_opposites(t->process, sig);
    if (t->ending || dropped(t, sig))
        return 0;

    int err = enqueue(t->process, &t->pending, sig, info);

    if (err == 0)
        trace_signal(sig, 0, t->tid);
    signal_update_locked(t);
    return err;
}

void
signal_send(struct process *p, int sig, const struct siginfo *info)
{
    spin_lock(&proc_lock);
    (void)signal_send_locked(p, sig, info);
    spin_unlock(&proc_lock);
}

void
signal_force(int sig, const struct siginfo *info)
{
    struct task *t = current_task();
    struct sigaction *sa = &t->process->actions[sig - 1];

    spin_lock(&proc_lock);
    if ((t->blocked & SIGBIT(sig)) || sa->handler == SIG_IGN) {
        sa->handler = SIG_DFL;
        t->blocked &= ~SIGBIT(sig);
    }
    discard(&t->pending, SIGBIT(sig));
    (void)enqueue(t->process, &t->pending, sig, info);
    trace_signal(sig, info->fault.addr, t->tid);
    signal_update_locked(t);
    spin_unlock(&proc_lock);
}

/* ---- masks ---- */

void
signal_set_mask(sigset_t mask)
{
    struct task *t = current_task();

    spin_lock(&proc_lock);
    bool hides = (t->process->pending.set & mask & ~t->blocked) != 0;

    t->blocked = mask & ~UNBLOCKABLE;
    if (hides)
        signal_retarget_locked(t->process); /* it was meant to take what it blocks now */
    signal_update_locked(t);
    spin_unlock(&proc_lock);
}

void
signal_set_temp_mask_value(sigset_t mask)
{
    struct task *t = current_task();

    t->saved_mask = t->blocked;
    t->restore_mask = true;
    signal_set_mask(mask);
}

int
signal_set_temp_mask(vaddr_t umask, size_t size)
{
    sigset_t mask;

    if (umask == 0)
        return 0;
    if (size != sizeof(mask))
        return -EINVAL;
    if (copy_from_user(&mask, umask, sizeof(mask)) != 0)
        return -EFAULT;
    signal_set_temp_mask_value(mask);
    return 0;
}

void
signal_discard_locked(struct process *p, int sig)
{
    struct task *t;

    discard(&p->pending, SIGBIT(sig));
    list_for_each (t, &p->tasks, link) {
        discard(&t->pending, SIGBIT(sig));
        signal_update_locked(t);
    }
}

/* exec: what was caught is back to default, what was ignored stays so. */
void
signal_reset_handlers(struct process *p)
{
    spin_lock(&proc_lock);
    for (int i = 0; i < NSIG; i++) {
        if (p->actions[i].handler != SIG_IGN)
            p->actions[i].handler = SIG_DFL;
        p->actions[i].flags = 0;
        p->actions[i].mask = 0;
        p->actions[i].restorer = 0;
    }
    spin_unlock(&proc_lock);
}

/* ---- taking ---- */

/* Takes the lowest signal of @set out of @q: its number, or 0. */
static int
dequeue(struct sigpending *q, sigset_t set, struct siginfo *info)
{
    sigset_t ready = q->set & set;
    struct sigqueued *e, *found = NULL;
    bool more = false;

    if (ready == 0)
        return 0;

    int sig = __builtin_ctzl(ready) + 1;

    list_for_each (e, &q->queue, link) {
        if (e->info.signo != sig)
            continue;
        if (found != NULL)
            more = true;
        else
            found = e;
    }
    *info = (struct siginfo){.signo = sig, .code = SI_USER};
    if (found != NULL) {
        *info = found->info;
        list_del(&found->link);
        q->length--;
        kfree(found);
    }
    if (!more)
        q->set &= ~SIGBIT(sig);
    return sig;
}

int
signal_take(sigset_t set, struct siginfo *info)
{
    struct task *t = current_task();

    spin_lock(&proc_lock);
    int sig = dequeue(&t->pending, set, info);

    if (sig == 0)
        sig = dequeue(&t->process->pending, set, info);
    signal_update_locked(t);
    spin_unlock(&proc_lock);
    return sig;
}

/* ---- delivering ---- */

/*
 * Turns a -ERESTARTxxx in rax into what the program sees. @handler: one runs now;
 * @restart: with SA_RESTART.
 */
static void
settle_system_call(struct trapframe *tf, bool handler, bool restart)
{
    int64_t result = (int64_t)tf->rax;

    if (tf->vector != TRAP_SYSCALL || !is_restart(result))
        return;
    if (handler && (result == -ERESTARTNOHAND || (result == -ERESTARTSYS && !restart))) {
        tf->rax = (uint64_t)-EINTR;
        return;
    }
    tf->rax = tf->error; /* the call's number: run the SYSCALL instruction again */
    tf->rip -= 2;
    tf->vector = 0; /* once */
}

void
signal_stop_progress_locked(struct process *p)
{
    struct siginfo info = {.signo = SIGCHLD,
                           .code = CLD_STOPPED,
                           .child = {.pid = p->pid, .status = p->stop_signal}};

    if (!p->stopping || p->nstopped < p->nalive)
        return;
    p->stopping = false;
    p->report_stop = true;
    if (p->parent == NULL)
        return;
    if (!(p->parent->actions[SIGCHLD - 1].flags & SA_NOCLDSTOP))
        (void)signal_send_locked(p->parent, SIGCHLD, &info);
    waitq_wake_all(&p->parent->wait);
}

/* A stop signal is taken: all threads are to rest. */
static void
stop_process(int sig)
{
    struct process *p = current_process();
    struct task *t;

    spin_lock(&proc_lock);
    /*
     * SIGKILL may have come since this one was taken: then nothing stops any more.
     * Nobody would ever continue an orphaned group; SIGSTOP means it all the same.
     */
    if (current_thread()->doomed) {
        spin_unlock(&proc_lock);
        return;
    }
    if (sig == SIGSTOP || !process_group_orphaned_locked(p->pgrp)) {
        p->stopped = p->stopping = true;
        p->stop_signal = sig;
        p->report_stop = p->report_continue = false;
        list_for_each (t, &p->tasks, link)
            thread_interrupt(t->thread);
    }
    spin_unlock(&proc_lock);
}

/* Sleeps while the process is stopped. */
static void
rest(void)
{
    struct process *p = current_process();

    spin_lock(&proc_lock);
    p->nstopped++;
    signal_stop_progress_locked(p);
    spin_unlock(&proc_lock);
    (void)wait_event_killable(&p->continued, !READ_ONCE(p->stopped));
    spin_lock(&proc_lock);
    p->nstopped--;
    spin_unlock(&proc_lock);
}

/* Whatever the program wanted, @sig ends it. */
static void
reset_action(int sig)
{
    spin_lock(&proc_lock);
    current_process()->actions[sig - 1].handler = SIG_DFL;
    spin_unlock(&proc_lock);
}

/* A handler is to run: builds its frame and sets the mask. */
static void
run_handler(struct trapframe *tf, int sig, const struct sigaction *sa,
            const struct siginfo *info)
{
    struct task *t = current_task();
    sigset_t mask = t->restore_mask ? t->saved_mask : t->blocked;

    settle_system_call(tf, true, sa->flags & SA_RESTART);
    t->sleep_until = 0;
    t->restore_mask = false;
    if (sigframe_build(tf, sa, info, mask) != 0) {
        struct siginfo segv = {.signo = SIGSEGV, .code = SI_KERNEL};

        kprintf("%s[%d]: no stack for the handler of signal %d\n", t->thread->name,
                t->process->pid, sig);
        if (sig == SIGSEGV)
            reset_action(SIGSEGV);
        signal_force(SIGSEGV, &segv); /* its handler may have another stack */
        return;
    }

    sigset_t blocked = t->blocked | sa->mask;

    if (!(sa->flags & SA_NODEFER))
        blocked |= SIGBIT(sig);
    signal_set_mask(blocked);
}

/* Takes the next signal that is to be dealt with; 0: none. *sa is what to do about it. */
static int
next_signal(struct siginfo *info, struct sigaction *sa)
{
    struct task *t = current_task();
    struct process *p = t->process;

    spin_lock(&proc_lock);
    sigset_t set = ~t->blocked;
    /* Faults of this very thread first: they belong to the instruction that is about to run. */
    int sig = dequeue(&t->pending, set & FAULT_SIGNALS, info);

    if (sig == 0)
        sig = dequeue(&t->pending, set, info);
    if (sig == 0)
        sig = dequeue(&p->pending, set, info);
    if (sig != 0) {
        *sa = p->actions[sig - 1];
        if ((sa->flags & SA_RESETHAND) && sa->handler > SIG_IGN)
            p->actions[sig - 1].handler = SIG_DFL;
    } else {
        signal_update_locked(t);
    }
    spin_unlock(&proc_lock);
    return sig;
}

/* Puts the mask back that a temporary one replaced. */
static void
restore_mask(void)
{
    struct task *t = current_task();

    if (!t->restore_mask)
        return;
    t->restore_mask = false;
    signal_set_mask(t->saved_mask);
}

/*
 * A call with a temporary mask was interrupted. If it succeeded instead, the
 * mask is over before signals are looked at.
 */
static bool
was_interrupted(const struct trapframe *tf)
{
    int64_t result = (int64_t)tf->rax;

    return tf->vector == TRAP_SYSCALL && (result == -EINTR || is_restart(result));
}

void
signal_deliver(struct trapframe *tf)
{
    struct process *p = current_process();
    struct siginfo info;
    struct sigaction sa;

    if (!was_interrupted(tf))
        restore_mask();
    for (;;) {
        if (READ_ONCE(p->exiting) || READ_ONCE(p->survivor) != NULL)
            task_exit(0);
        if (READ_ONCE(p->stopped) && !current_thread()->doomed) {
            rest();
            continue;
        }

        int sig = next_signal(&info, &sa);

        if (sig == 0)
            break;
        if (sa.handler == SIG_IGN)
            continue;
        if (sa.handler != SIG_DFL) {
            run_handler(tf, sig, &sa, &info);
            return; /* what else is pending interrupts the handler's first instruction */
        }
        switch (signal_default_action(sig)) {
        case SIGNAL_IGNORE:
        case SIGNAL_CONTINUE:
            break;
        case SIGNAL_STOP:
            stop_process(sig);
            break;
        case SIGNAL_TERMINATE:
            process_exit(sig);
        case SIGNAL_CORE:
            process_exit_with_core(&info);
        }
    }
    restore_mask();
    settle_system_call(tf, false, false);
}
