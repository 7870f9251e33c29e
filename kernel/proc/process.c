/*
 * process.c - the table of processes: made, found, counted, freed.
 *
 * A process comes from fork.c, changes its program in exec.c, ends in exit.c.
 * Pids are given in rising order and used again only after PID_MAX.  A pid is
 * taken as long as it names a process, a group or a session.
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
#include "kernel/lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/space.h"

struct spinlock proc_lock = SPINLOCK_INIT("processes");
struct process *init_process;

static struct list all = LIST_INIT(all);
static unsigned count;
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
    kfree(p);
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
process_space(struct process *p)
{
    struct space *s = NULL;

    spin_lock(&proc_lock);
    struct task *t = list_first(&p->tasks, struct task, link);

    if (t != NULL && t->thread->space != NULL)
        s = space_get(t->thread->space);
    spin_unlock(&proc_lock);
    return s;
}

struct files *
process_files(struct process *p)
{
    struct files *files = NULL;

    spin_lock(&proc_lock);
    struct task *t = list_first(&p->tasks, struct task, link);

    if (t != NULL && t->thread->files != NULL)
        files_get(files = t->thread->files);
    spin_unlock(&proc_lock);
    return files;
}

/* The space that @p runs in, without reference, or NULL. proc_lock held. */
static struct space *
space_of(struct process *p)
{
    struct task *t = list_first(&p->tasks, struct task, link);

    return t != NULL ? t->thread->space : NULL;
}

bool
process_shares_space_locked(struct process *p)
{
    struct space *s = space_of(p);
    struct process *other;

    ASSERT(spin_held(&proc_lock));
    list_for_each (other, &all, all_link)
        if (s != NULL && other != p && space_of(other) == s)
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

/* True if @pid names a process, a group or a session. */
static bool
pid_taken(pid_t pid)
{
    struct process *p;

    list_for_each (p, &all, all_link)
        if (p->pid == pid || p->pgrp == pid || p->session == pid)
            return true;
    return false;
}

/*
 * So many that their kernel stacks take a sixteenth of the memory, half of what Linux allows: the
 * smallest process costs five times its stack, and fork is to say EAGAIN before memory is out.
 */
bool
process_limit_reached(void)
{
    struct frame_stats f;

    frame_get_stats(&f);
    return count >= MAX(f.total / (16 * KSTACK_PAGES), 32UL);
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
    memcpy(p->actions, parent->actions, sizeof(p->actions));
    p->personality = parent->personality;
    p->strace = parent->strace;
    p->nice = parent->nice;
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

struct process *
process_create(struct process *parent, void (*entry)(void *), void *arg, struct task **out)
{
    struct process *p = kzalloc(sizeof(*p));
    struct task *t = kzalloc(sizeof(*t));

    if (p == NULL || t == NULL || task_make_thread(t, entry, arg) != 0) {
        kfree(t);
        kfree(p);
        return NULL;
    }
    p->refs = 1; /* the task's */
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->all_link);
    list_init(&p->tasks);
    waitq_init(&p->wait);
    waitq_init(&p->continued);
    sigpending_init(&p->pending);
    itimer_init(p);
    p->start_time = clock_now();

    t->process = p;
    list_init(&t->link);
    sigpending_init(&t->pending);
    t->altstack.flags = SS_DISABLE;

    spin_lock(&proc_lock);
    inherit(p, parent);
    t->tid = p->pid = process_limit_reached() ? 0 : pid_alloc();
    p->exit_signal = SIGCHLD;
    if (p->pid != 0) {
        list_push_back(&p->tasks, &t->link);
        p->ntasks = 1;
        process_get(p); /* the table's */
        list_push_back(&all, &p->all_link);
        count++;
    }
    spin_unlock(&proc_lock);
    *out = t;
    if (p->pid == 0) {
        process_discard(p, t);
        return NULL;
    }
    return p;
}

void
process_enter_table(struct process *p, struct process *parent)
{
    ASSERT(spin_held(&proc_lock));
    p->parent = parent;
    p->pgrp = parent != NULL ? parent->pgrp : p->pid;
    p->session = parent != NULL ? parent->session : p->pid;
    p->tty = parent != NULL ? parent->tty : NULL;
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
process_discard(struct process *p, struct task *t)
{
    struct space *s = t->thread->space;
    struct file *exe = p->exe;
    bool in_table;

    spin_lock(&proc_lock);
    signal_flush(&p->pending);
    signal_flush(&t->pending);
    list_del(&t->link);
    in_table = !list_empty(&p->all_link);
    if (in_table)
        process_leave_table_locked(p);
    p->exe = NULL;
    t->thread->space = NULL;
    spin_unlock(&proc_lock);
    if (s != NULL)
        space_put(s);
    file_put(exe);
    files_put(t->thread->files);
    fs_context_put(t->thread->fs);
    kfree(t->thread->cred);
    thread_destroy(t->thread);
    kfree(t);
    if (in_table)
        process_put(p);
    process_put(p);
}

/* ---- out of memory ---- */

struct largest {
    struct process *process;
    uint64_t pages; /* its own */
    uint64_t crowd; /* of all that it is one of */
};

/* 0: it is not to be ended. */
static uint64_t
weight(struct process *p)
{
    const struct space *s = space_of(p);

    if (s == NULL || s == space_of(init_process)) /* nor a child of init's before its exec */
        return 0;

    /* Shared memory counts for each that has it mapped: whose it is, nobody can tell. */
    return MAX(s->nprivate, s->resident_anon) + s->pt.tables +
           s->nregions * sizeof(struct region) / PAGE_SIZE;
}

static void
weigh(struct process *p, void *arg)
{
    struct largest *l = arg;
    uint64_t pages = weight(p);

    if (pages > l->pages)
        *l = (struct largest){p, pages, 0};
}

struct crowd {
    const struct file *exe; /* the same for all that came from one another without exec */
    uint64_t pages;
};

static void
join_crowd(struct process *p, void *arg)
{
    struct crowd *c = arg;

    if (p->exe == c->exe)
        c->pages += weight(p);
}

/* The largest of the largest crowd: where none is large, many are to blame. */
static void
weigh_crowd(struct process *p, void *arg)
{
    struct largest *l = arg;
    struct crowd c = {.exe = p->exe};
    uint64_t pages = weight(p);

    process_for_each_locked(join_crowd, &c);
    if (pages > 0 && (c.pages > l->crowd || (c.pages == l->crowd && pages > l->pages)))
        *l = (struct largest){p, pages, c.pages};
}

/* Memory comes back when the last one of those that share it is gone. */
static void
kill_if_in_space(struct process *p, void *arg)
{
    if (space_of(p) == arg)
        (void)signal_send_locked(p, SIGKILL, NULL);
}

int
process_kill_largest(bool spare_small)
{
    struct largest l = {NULL, 0, 0};
    struct frame_stats frames;
    bool again = false;

    frame_get_stats(&frames);

    spin_lock(&proc_lock);
    process_for_each_locked(weigh, &l);
    if (l.pages < frames.total / 32) {
        l = (struct largest){NULL, 0, 0};
        if (!spare_small)
            process_for_each_locked(weigh_crowd, &l);
    }
    if (l.process != NULL) {
        struct space *s = space_of(l.process);

        again = s->dying; /* it is on its way out already: wait for it */
        s->dying = true;
        process_for_each_locked(kill_if_in_space, s);
    }
    spin_unlock(&proc_lock);
    if (l.process != NULL && !again)
        kprintf("out of memory: ended process %d (%s), which had %lu pages\n", l.process->pid,
                list_first(&l.process->tasks, struct task, link)->thread->name, l.pages);
    return l.process == NULL ? -1 : !again;
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

    init_process = process_create(NULL, init_begin, NULL, &t);
    if (init_process == NULL)
        panic("no memory for the first process");
    t->thread->files = files_new();
    t->thread->fs = fs_context_new();
    if (t->thread->files == NULL || t->thread->fs == NULL)
        panic("no memory for the first process");
    spin_lock(&proc_lock);
    process_enter_table(init_process, NULL);
    spin_unlock(&proc_lock);
    thread_start(t->thread);
}
