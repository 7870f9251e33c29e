/*
 * thread.h - a flow of control: a kernel stack, saved registers and a place in the scheduler.
 *
 * A thread knows nothing of processes: proc/ hangs its things on it by pointers
 * that are opaque here.
 *
 * States:  1. RUNNABLE: on a CPU or in its run queue.
 *          2. SLEEPING: in sched_sleep(), until a wake-up, a signal or the deadline.
 *          3. DEAD: has called thread_exit(); freed by the next thread on that CPU.
 */
#pragma once

#include "kernel/arch/context.h"
#include "kernel/arch/lockorder.h"
#include "kernel/lib/list.h"
#include "kernel/sched/timeout.h"
#include "kernel/sched/waitq.h"
#include "mm/layout.h"

struct task;
struct space;
struct pagetable;
struct files;
struct fs_context;
struct cred;

enum thread_state { THREAD_RUNNABLE, THREAD_SLEEPING, THREAD_DEAD };

#define THREAD_NAME_MAX 16

struct thread {
    struct context context; /* where it stopped */
    vaddr_t stack;          /* lowest address of its kernel stack, 0 for a CPU's first thread */
    char name[THREAD_NAME_MAX];
    int trace_id; /* 0: a CPU idles; below 0: trace_name(); else a tid, which proc gives */

    /* Scheduler's, guarded by the run queue's lock of CPU @cpu. */
    enum thread_state state;
    unsigned cpu;               /* where it runs, waits, or slept last */
    uint32_t affinity;          /* bit n: may run on CPU n */
    bool wake_pending;          /* a wake-up came since sched_prepare_sleep */
    bool preparing;             /* between sched_prepare_sleep and the sleep's end */
    enum sleep_kind sleep_kind; /* what the present sleep ends by */
    uint8_t level;              /* 0 .. SCHED_LEVELS-1, 0 runs first */
    nsec_t slice_end;           /* when the running thread's turn is over */
    nsec_t turn_left; /* own thread: of a turn that it gave up; 0: the next is a new one */
    struct list run_link;
    struct timeout sleep_timeout;

    /* Accounting: exact time on a CPU, divided into user and system by where the timer found it. */
    nsec_t run_time, run_since;
    uint64_t ticks_user, ticks_system;
    uint64_t switches_voluntary, switches_forced;
    void (*entry)(void *);
    void *entry_arg;
    struct locks_held locks; /* mutexes; in debug builds only */

    /* What the layers above hang on it. NULL for kernel threads. */
    bool
        frees_memory; /* the pager and the flusher: may use the last frames, never wait for one */
    bool interrupted; /* a signal wants attention: set by proc, ends interruptible sleeps */
    bool doomed;      /* it will not see user mode again: ends killable sleeps too */
    bool exiting;     /* it is counted among those that exit */
    uint64_t user_fs, user_gs;   /* saved segment bases while not running */
    void *fpu;                   /* XSAVE area; NULL for kernel threads */
    struct pagetable *pagetable; /* what to load into CR3 */
    struct space *space;
    struct task *task;
    struct files *files;
    struct fs_context *fs;
    struct cred *cred;
};

/*
 * thread_create - a new thread that will call @entry(@arg) in the kernel.
 * It does not run before thread_start.
 * Returns: the thread, or NULL when there is no memory.
 */
struct thread *thread_create(const char *name, void (*entry)(void *), void *arg) MUST_CHECK;
void thread_start(struct thread *t);

/* Ends the current thread; its memory is given back after the switch. */
void thread_exit(void) NORETURN;

/*
 * thread_begin_exit - the current thread is as good as gone: others may be told so.
 * thread_await_exits - until those that began so far are, with all their memory. Sleeps.
 */
void thread_begin_exit(void);
void thread_await_exits(void);

/*
 * Between these the caller may hold what threads that exit gave back: thread_await_exits waits
 * for it, too.
 */
void thread_borrow(void);
void thread_give_back(void);

/* Frees a thread that does not run: it was never started, or is dead. */
void thread_destroy(struct thread *t);

/* A few stacks of dead threads are kept for new ones: gives their memory back. */
void thread_drop_spare_stacks(void);

/*
 * thread_interrupt - a signal came: sets ->interrupted and ends an
 * interruptible sleep. Any context.
 */
void thread_interrupt(struct thread *t);

/* The same, and for ever: the thread is to end. Killable sleeps end too. */
void thread_doom(struct thread *t);

/* Makes a sleeping thread runnable. Any context. */
void thread_wake(struct thread *t);

/* The current thread's registers that the kernel does not use, into its ->fpu, user_fs, user_gs. */
void thread_save_user_state(void);

/* Time in user and in system mode so far. Any thread. */
void thread_times(const struct thread *t, nsec_t *user, nsec_t *system);

/* Top of the kernel stack; the user trapframe lies right below it. */
static inline vaddr_t
thread_stack_top(const struct thread *t)
{
    return t->stack + KSTACK_SIZE;
}

/* Where a user thread's trapframe begins; a new thread's first kernel frame lies below it. */
vaddr_t thread_user_frame(const struct thread *t);
