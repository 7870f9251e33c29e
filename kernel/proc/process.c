/*
 * process.c - the table of processes: made, found, counted, freed.
 *
 * A process comes from fork.c, changes its program in exec.c, ends in exit.c; threads.c is about
 * the threads in it.  Pids are given in rising order and used again only after PID_MAX.  A pid is
 * taken as long as it names a thread, a process, a group or a session.
 *
 * Locks: proc_lock guards the tree, states and signals; it is a spin lock
 *        because wake-ups follow from it.
 */
#include "kernel/proc/process.h"

#include "boot/bootinfo.h"
#include "kernel/abi/errno.h"
#include "kernel/abi/sched.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/fpu.h"
#include "kernel/arch/trap.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/restart.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/space.h"

struct spinlock proc_lock = SPINLOCK_INIT("processes");
struct process *init_process;

static struct list all = LIST_INIT(all);
static unsigned count;   /* processes */
static unsigned threads; /* of them all; a zombie has none */
static pid_t last_pid;

/*
 * Linux's limits; the sizes of stack and descriptors are what programs expect.  Cores, which
 * nobody wants beside each of a thousand crashes that a test makes, are asked for: by `core` on
 * the kernel's command line, as ./vm boot has it, or by ulimit -c.
 */
static void
set_default_rlimits(struct rlimit *r)
{
    char unused[8];

    for (unsigned i = 0; i < RLIMIT_COUNT; i++)
        r[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    r[RLIMIT_STACK].soft = 8 * MIB;
    if (!boot_option("core", unused, sizeof(unused)))
        r[RLIMIT_CORE].soft = 0;
    r[RLIMIT_NOFILE] = (struct rlimit){FILES_DEFAULT, FILES_MAX};
    r[RLIMIT_SIGPENDING] = (struct rlimit){SIGPENDING_MAX, SIGPENDING_MAX};
    r[RLIMIT_MEMLOCK] = (struct rlimit){8 * MIB, 8 * MIB};
}

/* Signal actions have memory of their own: two half pages, not one of three quarters. */
static struct process *
process_alloc(void)
{
    struct process *p = kzalloc(sizeof(*p));

    if (p != NULL && (p->actions = kzalloc(NSIG * sizeof(*p->actions))) == NULL) {
        kfree(p);
        return NULL;
    }
    return p;
}

static void
process_free(struct process *p)
{
    kfree(p->actions);
    kfree(p);
}

void
process_get(struct process *p)
{
    __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
}

void
process_put(struct process *p)
{
    if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    ASSERT(list_empty(&p->tasks) && list_empty(&p->all_link) && p->exe == NULL);
    process_free(p);
}

struct process *
process_find_locked(pid_t pid)
{
    struct process *p;

    list_for_each (p, &all, all_link)
        if (p->pid == pid)
            return p;
    return NULL;
}

struct task *
task_find_locked(pid_t tid)
{
    struct process *p;
    struct task *t;

    list_for_each (p, &all, all_link)
        list_for_each (t, &p->tasks, link)
            if (t->tid == tid)
                return t;
    return NULL;
}

struct process *
process_find(pid_t pid)
{
    spin_lock(&proc_lock);
    struct process *p = process_find_locked(pid);

    if (p != NULL)
        process_get(p);
    spin_unlock(&proc_lock);
    return p;
}

struct process *
process_next(pid_t pid)
{
    struct process *p, *best = NULL;

    spin_lock(&proc_lock);
    list_for_each (p, &all, all_link)
        if (p->pid >= pid && (best == NULL || p->pid < best->pid))
            best = p;
    if (best != NULL)
        process_get(best);
    spin_unlock(&proc_lock);
    return best;
}

char
process_letter_locked(const struct process *p, const struct task *t)
{
    if (p->state == PROCESS_ZOMBIE || t == NULL)
        return 'Z';
    if (p->stopped)
        return 'T';
    if (t->thread->state == THREAD_RUNNABLE)
        return 'R';
    return t->thread->sleep_kind == SLEEP_INTERRUPTIBLE ? 'S' : 'D';
}

void
process_for_each_locked(void (*fn)(struct process *p, void *arg), void *arg)
{
    struct process *p;

    ASSERT(spin_held(&proc_lock));
    list_for_each (p, &all, all_link)
        fn(p, arg);
}

unsigned
process_count(void)
{
    return count;
}

struct space *
process_space_locked(struct process *p)
{
    struct task *t;

    ASSERT(spin_held(&proc_lock));
    list_for_each (t, &p->tasks, link)
        if (t->thread->space != NULL)
            return t->thread->space;
    return NULL;
}

struct space *
process_space(struct process *p)
{
    spin_lock(&proc_lock);
    struct space *s = process_space_locked(p);

    if (s != NULL)
        space_get(s);
    spin_unlock(&proc_lock);
    return s;
}

struct files *
process_files_locked(struct process *p)
{
    struct task *t;

    ASSERT(spin_held(&proc_lock));
    list_for_each (t, &p->tasks, link)
        if (t->thread->files != NULL)
            return t->thread->files;
    return NULL;
}

bool
process_shares_space_locked(struct process *p)
{
    struct space *s = process_space_locked(p);
    struct process *other;

    list_for_each (other, &all, all_link)
        if (s != NULL && other != p && process_space_locked(other) == s)
            return true;
    return false;
}

void
process_times_locked(struct process *p, nsec_t *user, nsec_t *system)
{
    struct task *t;

    *user = p->dead_user;
    *system = p->dead_system;
    list_for_each (t, &p->tasks, link) {
        nsec_t u, s;

        thread_times(t->thread, &u, &s);
        *user += u;
        *system += s;
    }
}

/* True if @pid names a process, a group, a session or a thread. */
static bool
pid_taken(pid_t pid)
{
    struct process *p;

    list_for_each (p, &all, all_link)
        if (p->pid == pid || p->pgrp == pid || p->session == pid)
            return true;
    return task_find_locked(pid) != NULL;
}

/* True if @n kernel stacks take that part of the memory. */
static bool
stacks_fill(unsigned long n, unsigned long part)
{
    struct frame_stats f;

    frame_get_stats(&f);
    return n >= MAX(f.total / (part * KSTACK_PAGES), 32UL);
}

/*
 * A thirty-second of the memory for the stacks of processes, half of what Linux allows: the
 * smallest process costs seven times its stack, and fork is to say EAGAIN before memory is out.
 * An eighth for the stacks of all threads, which cost little else.
 */
static bool
process_limit_reached(void)
{
    return stacks_fill(count, 32) || stacks_fill(threads, 8);
}

/* The next free pid, or 0. proc_lock held. */
static pid_t
pid_alloc(void)
{
    for (int tries = 0; tries < PID_MAX; tries++) {
        last_pid = last_pid >= PID_MAX ? 2 : last_pid + 1;
        if (!pid_taken(last_pid))
            return last_pid;
    }
    return 0;
}

static void
inherit(struct process *p, struct process *parent)
{
    if (parent == NULL) {
        set_default_rlimits(p->rlimits);
        return;
    }
    memcpy(p->rlimits, parent->rlimits, sizeof(p->rlimits));
    memcpy(p->actions, parent->actions, NSIG * sizeof(*p->actions));
    p->personality = parent->personality;
    p->strace = parent->strace;
    p->nice = parent->nice;
    p->pgrp = parent->pgrp;
    p->session = parent->session;
    p->tty = parent->tty;
    p->exe = parent->exe;
    if (p->exe != NULL)
        file_get(p->exe);
}

/* The thread that goes with @t, with its floating-point state. */
static int
task_make_thread(struct task *t, void (*entry)(void *), void *arg)
{
    const char *name = current_task() != NULL ? current_thread()->name : "init";

    t->thread = thread_create(name, entry, arg);
    if (t->thread == NULL)
        return -ENOMEM;
    t->thread->fpu = kmalloc(MAX(fpu_size(), FPU_ALIGN));
    t->thread->cred = kzalloc(sizeof(struct cred));
    if (t->thread->fpu == NULL || t->thread->cred == NULL) {
        kfree(t->thread->cred);
        thread_destroy(t->thread);
        return -ENOMEM;
    }
    fpu_init_area(t->thread->fpu);
    if (current_task() != NULL)
        *t->thread->cred = *current_thread()->cred;
    else
        t->thread->cred->cap_effective = t->thread->cred->cap_permitted = CAP_ALL;
    t->thread->task = t;
    return 0;
}

struct task *
task_create(struct process *p, void (*entry)(void *), void *arg)
{
    struct task *t = kzalloc(sizeof(*t));

    if (t == NULL || task_make_thread(t, entry, arg) != 0) {
        kfree(t);
        return NULL;
    }
    process_get(p);
    t->process = p;
    list_init(&t->link);
    sigpending_init(&t->pending);
    t->blocked = current_task() != NULL ? current_task()->blocked : 0;
    t->altstack.flags = SS_DISABLE;
    return t;
}

int
task_attach_locked(struct task *t)
{
    struct process *p = t->process;

    ASSERT(spin_held(&proc_lock));
    if (p == current_process() && task_ends_locked(current_task()))
        return -ERESTARTNOINTR;
    bool full = p->ntasks == 0 ? process_limit_reached() : stacks_fill(threads, 4);

    t->tid = full ? 0 : pid_alloc();
    if (t->tid == 0)
        return -EAGAIN;
    t->thread->trace_id = t->tid;
    list_push_back(&p->tasks, &t->link);
    p->ntasks++;
    p->nalive++;
    threads++;
    signal_update_locked(t); /* they may all be about to stop */
    return 0;
}

void
task_detach_locked(struct task *t)
{
    list_del(&t->link);
    t->process->ntasks--;
    threads--;
}

/*
 * Makes @p, whose first task is @t, visible.  Who signals the group of @parent by now has signalled
 * the caller, which is to see that first, or will find @p too: so one signal reaches them all,
 * however fast they fork.
 */
static int
enter_table(struct process *p, struct process *parent, struct task *t)
{
    ASSERT(spin_held(&proc_lock));
    if (parent != NULL && signal_due_locked(current_task()))
        return -ERESTARTNOINTR;

    int err = task_attach_locked(t);

    if (err != 0)
        return err;
    p->pid = p->pgrp = p->session = t->tid;
    p->exit_signal = SIGCHLD;
    inherit(p, parent);
    process_get(p); /* the table's */
    list_push_back(&all, &p->all_link);
    count++;
    return 0;
}

int
process_create(struct process *parent, void (*entry)(void *), struct task **out)
{
    struct process *p = process_alloc();
    struct task *t;

    if (p == NULL)
        return -ENOMEM;
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->all_link);
    list_init(&p->tasks);
    waitq_init(&p->wait);
    waitq_init(&p->continued);
    waitq_init(&p->gathered);
    sigpending_init(&p->pending);
    itimer_init(p);
    p->start_time = clock_now();
    *out = t = task_create(p, entry, NULL);
    if (t == NULL) {
        process_free(p);
        return -ENOMEM;
    }

    spin_lock(&proc_lock);
    int err = enter_table(p, parent, t);
    spin_unlock(&proc_lock);
    if (err != 0)
        process_discard(p, t);
    return err;
}

void
process_enter_family(struct process *p, struct process *parent)
{
    ASSERT(spin_held(&proc_lock));
    p->parent = parent;
    if (parent != NULL)
        list_push_back(&parent->children, &p->sibling);
    itimer_limit_locked(p);
}

void
process_leave_table_locked(struct process *p)
{
    list_del(&p->all_link);
    count--;
}

void
task_discard(struct task *t)
{
    struct space *s = t->thread->space;

    if (s != NULL)
        space_put(s);
    files_put(t->thread->files);
    fs_context_put(t->thread->fs);
    kfree(t->thread->cred);
    thread_destroy(t->thread);
    process_put(t->process);
    kfree(t);
}

void
process_discard(struct process *p, struct task *t)
{
    struct file *exe = p->exe;
    bool in_table;

    spin_lock(&proc_lock);
    signal_flush(&p->pending);
    signal_flush(&t->pending);
    in_table = !list_empty(&p->all_link);
    if (in_table) {
        task_detach_locked(t);
        process_leave_table_locked(p);
    }
    p->exe = NULL;
    spin_unlock(&proc_lock);
    file_put(exe);
    if (in_table) {
        itimer_cancel_all(p); /* prlimit(2) may have found it */
        process_put(p);
    }
    task_discard(t);
}

/* ---- out of memory ---- */

/* A search through all processes. */
struct largest {
    bool by_crowd;           /* it is the crowd's size that counts */
    bool ending;             /* somebody was met who is on the way out, and not looked at */
    struct process *process; /* the largest of the others */
    uint64_t weight;
};

/* The pages that come back when all that run in @s are gone. */
static uint64_t
pages_of(const struct space *s)
{
    /* Shared memory counts for each that has it mapped: whose it is, nobody can tell. */
    return MAX(s->nprivate, s->resident_anon) + s->pt.tables +
           s->nregions * sizeof(struct region) / PAGE_SIZE;
}

/*
 * init is not to be ended, nor a child of its before exec, nor one that is still being made: its
 * maker may wait for memory, and it could not go before.
 *
 * A crowd are those that came from one another without exec, so they share exe and are alike:
 * their weight is that of one times their number.
 */
static void
weigh(struct process *p, void *arg)
{
    struct largest *l = arg;
    const struct space *s = process_space_locked(p);

    if (s == NULL || s == process_space_locked(init_process) || p->parent == NULL)
        return;
    if (s->dying) {
        l->ending = true;
        return;
    }

    bool crowd = l->by_crowd && p->exe != NULL; /* its last thread gives that back first */
    uint64_t weight = pages_of(s) * (crowd ? READ_ONCE(p->exe->refs) : 1);

    if (weight > l->weight) {
        l->process = p;
        l->weight = weight;
    }
}

/* Memory comes back when the last one of those that share it is gone. */
static void
kill_if_in_space(struct process *p, void *arg)
{
    if (process_space_locked(p) == arg)
        (void)signal_send_locked(p, SIGKILL, NULL);
}

int
process_kill_largest(bool spare_small, bool patient)
{
    struct largest l = {.by_crowd = false};
    struct frame_stats frames;
    char name[THREAD_NAME_MAX];
    pid_t pid = 0;
    uint64_t pages = 0, locked = 0;

    frame_get_stats(&frames);

    spin_lock(&proc_lock);
    process_for_each_locked(weigh, &l);
    if (l.weight < frames.total / 32) {
        l = (struct largest){.by_crowd = true, .ending = l.ending};
        if (!spare_small)
            process_for_each_locked(weigh, &l);
    }
    if (l.process != NULL && !(patient && l.ending)) {
        struct space *s = process_space_locked(l.process);

        strlcpy(name, list_first(&l.process->tasks, struct task, link)->thread->name,
                sizeof(name));
        pid = l.process->pid;
        pages = pages_of(s);
        locked = READ_ONCE(s->locked_pages);
        s->dying = true;
        process_for_each_locked(kill_if_in_space, s);
    }
    spin_unlock(&proc_lock);
    if (pid != 0)
        kprintf("out of memory: ended process %d (%s), which had %lu pages, "
                "%lu of them locked\n",
                pid, name, pages, locked);
    return pid != 0 ? 1 : l.ending ? 0 : -1;
}

/* ---- the first process ---- */

static void
init_begin(void *unused)
{
    static const char *const envp[] = {"HOME=/root", "PATH=/bin:/sbin:/usr/bin:/usr/sbin",
                                       "TERM=linux", NULL};
    static const char *const argv[] = {"/sbin/init", NULL};
    struct trapframe *tf = (struct trapframe *)thread_user_frame(current_thread());

    (void)unused;

    int err = process_exec_kernel(argv[0], argv, envp, tf);

    if (err != 0)
        panic("cannot run %s (error %d): does the root disk hold it?", argv[0], -err);
    trap_return_to_user(tf);
}

void
process_start_init(void)
{
    struct task *t;

    if (process_create(NULL, init_begin, &t) != 0)
        panic("no memory for the first process");
    init_process = t->process;
    t->thread->files = files_new();
    t->thread->fs = fs_context_new();
    if (t->thread->files == NULL || t->thread->fs == NULL)
        panic("no memory for the first process");
    spin_lock(&proc_lock);
    process_enter_family(init_process, NULL);
    spin_unlock(&proc_lock);
    thread_start(t->thread);
}
