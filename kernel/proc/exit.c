/*
 * exit.c - the end of a thread and of a process, and the parent that waits for it.
 *
 *     RUNNING --last thread exits--> ZOMBIE --wait()--> gone
 *
 * Everything heavy (files, memory) is given back by the dying thread itself, before it becomes a
 * zombie; what stays is the struct process with its status.  Children go to init.
 *
 * Contracts: POSIX _exit "Consequences of Process Termination", wait, waitid.
 */
#include "kernel/proc/process.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/sched.h"
#include "kernel/arch/cpu.h"
#include "kernel/dev/tty.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/restart.h"
#include "kernel/lib/string.h"
#include "kernel/trace/trace.h"
#include "mm/kmalloc.h"
#include "mm/space.h"

/* ---- ending ---- */

void
process_release_vfork_locked(struct process *p)
{
    if (!p->vfork_wait)
        return;
    p->vfork_wait = false;
    waitq_wake_all(&p->continued);
}

void
process_keep_faults_locked(struct process *p, const struct space *s)
{
    if (p->vfork_wait) /* they are its parent's */
        return;
    p->dead_minor += s->faults.minor;
    p->dead_major += s->faults.major;
}

/* Memory, descriptors, working directory: while the thread can still sleep. */
static void
give_back(struct thread *t, bool last)
{
    struct process *p = t->task->process;
    struct space *s = t->space;
    struct files *files = t->files;
    struct fs_context *fs = t->fs;
    struct file *exe;

    spin_lock(&proc_lock); /* /proc takes references of them under it */
    t->files = NULL;
    t->fs = NULL;
    spin_unlock(&proc_lock);
    files_put(files);
    fs_context_put(fs);

    spin_lock(&proc_lock);
    t->space = NULL;
    t->pagetable = NULL;
    pagetable_load(NULL);
    exe = last ? p->exe : NULL;
    if (last) {
        process_keep_faults_locked(p, s);
        p->dead_peak = s->resident_peak;
        p->exe = NULL;
        process_release_vfork_locked(p);
    }
    spin_unlock(&proc_lock);
    space_put(s);
    file_put(exe);
}

/* Takes a dead child out of tree and table. The caller puts the table's reference. */
static void
unlink_locked(struct process *p)
{
    struct process *parent = p->parent;

    if (parent != NULL) {
        nsec_t user, system;

        process_times_locked(p, &user, &system);
        parent->child_user += user + p->child_user;
        parent->child_system += system + p->child_system;
        parent->child_minor += p->dead_minor + p->child_minor;
        parent->child_major += p->dead_major + p->child_major;
    }
    list_del(&p->sibling);
    process_leave_table_locked(p);
}

/* A stopped group that nobody can continue any more is told so: SIGHUP, SIGCONT (POSIX _exit). */
struct stopped_query {
    pid_t pgrp;
    bool stopped;
};

static void
look_for_stopped(struct process *p, void *arg)
{
    struct stopped_query *q = arg;

    q->stopped |= p->pgrp == q->pgrp && p->stopped;
}

static void
signal_if_member(struct process *p, void *arg)
{
    struct stopped_query *q = arg;

    if (p->pgrp != q->pgrp)
        return;
    (void)signal_send_locked(p, SIGHUP, NULL);
    (void)signal_send_locked(p, SIGCONT, NULL);
}

/* @p was, or was a child of, the one that ends; @parent is, or was, its parent. */
static void
tell_orphaned_group(const struct process *p, const struct process *parent)
{
    struct stopped_query q = {p->pgrp, false};

    /* Only if this very parent could continue it so far: else it was orphaned before. */
    if (parent == NULL || parent->pgrp == p->pgrp || parent->session != p->session ||
        !process_group_orphaned_locked(p->pgrp))
        return;
    process_for_each_locked(look_for_stopped, &q);
    if (q.stopped)
        process_for_each_locked(signal_if_member, &q);
}

static void
tell_parent(struct process *p)
{
    struct process *parent = p->parent;
    const struct sigaction *sa = &parent->actions[SIGCHLD - 1];
    struct siginfo info = {.signo = SIGCHLD, .child = {.pid = p->pid, .uid = p->dead_uid}};
    int sig = p->exit_status & 0x7f;

    info.code = sig == 0 ? CLD_EXITED : p->exit_status & 0x80 ? CLD_DUMPED : CLD_KILLED;
    info.child.status = sig == 0 ? p->exit_status >> 8 & 0xff : sig;
    p->no_zombie =
        p->exit_signal == SIGCHLD && (sa->handler == SIG_IGN || (sa->flags & SA_NOCLDWAIT));
    if (p->exit_signal != 0)
        (void)signal_send_locked(parent, p->exit_signal, &info);
    waitq_wake_all(&parent->wait);
}

/* Who takes the children of @p: the nearest ancestor that asked for them, or init. */
static struct process *
reaper_of(struct process *p)
{
    do
        p = p->parent;
    while (p != init_process && (!p->subreaper || p->exiting || p->state != PROCESS_RUNNING));
    return p;
}

/* The children get another parent. A zombie among them: that one's business from now on. */
static void
orphan_children(struct process *p)
{
    struct process *reaper = reaper_of(p);
    struct list *l;

    while ((l = list_pop_front(&p->children)) != NULL) {
        struct process *child = list_entry(l, struct process, sibling);

        child->parent = reaper;
        child->exit_signal = SIGCHLD; /* init waits for no other */
        list_push_back(&reaper->children, &child->sibling);
        if (child->state != PROCESS_ZOMBIE) {
            if (child->death_signal != 0)
                (void)signal_send_locked(child, child->death_signal, NULL);
            tell_orphaned_group(child, p);
            continue;
        }
        tell_parent(child);
        if (child->no_zombie) {
            unlink_locked(child);
            process_put(child); /* the table's reference */
        }
    }
}

/* The process has no thread any more: it becomes a zombie. */
static void
become_zombie(struct process *p, int status)
{
    bool reap;

    itimer_cancel_all(p);
    spin_lock(&proc_lock);
    p->exit_status = status;
    signal_flush(&p->pending);
    orphan_children(p);
    p->state = PROCESS_ZOMBIE;
    p->stopped = false;
    tell_orphaned_group(p, p->parent);
    tell_parent(p);
    reap = p->no_zombie;
    if (reap)
        unlink_locked(p);
    spin_unlock(&proc_lock);
    if (reap)
        process_put(p); /* the table's reference */
}

/* A session leader takes the terminal with it. */
static void
leave_session(struct process *p)
{
    struct tty *tty = p->tty;

    if (p->session == p->pid && tty != NULL) {
        tty_session_ended(tty, p->session);
        process_forget_tty(p->session);
    }
}

/* From here on the thread takes no signals. True: it is the last one that does so. */
static bool
begin_to_end(struct task *t)
{
    struct process *p = t->process;

    spin_lock(&proc_lock);
    t->ending = true;
    bool last = --p->nalive == 0;
    signal_retarget_locked(p);
    signal_stop_progress_locked(p);
    spin_unlock(&proc_lock);
    return last;
}

/* The thread leaves its process. True: the process has none any more. */
static bool
leave_process(struct task *t)
{
    struct process *p = t->process;
    nsec_t user, system;

    spin_lock(&proc_lock);
    thread_times(t->thread, &user, &system);
    p->dead_user += user;
    p->dead_system += system;
    if (t->tid == p->pid) { /* the first thread's are shown later */
        strlcpy(p->dead_name, t->thread->name, sizeof(p->dead_name));
        p->dead_uid = t->thread->cred->uid;
    }
    signal_flush(&t->pending);
    task_detach_locked(t);
    bool last = p->ntasks == 0;
    waitq_wake_all(&p->gathered);
    spin_unlock(&proc_lock);
    return last;
}

void
task_exit(int status)
{
    struct thread *thread = current_thread();
    struct task *t = thread->task;
    struct process *p = t->process;

    task_park_for_core();
    if (p == init_process)
        panic("init ended (status %#x): there is nobody left to run anything for", status);
    task_release_words(t);

    bool last = begin_to_end(t);

    if (last)
        leave_session(p);
    give_back(thread, last);
    trace_exit(last, p->exiting ? p->group_exit_status : status, p->pid);
    thread_begin_exit();
    if (leave_process(t)) /* the last one's status counts, unless they were all told to end */
        become_zombie(p, p->exiting ? p->group_exit_status : status);
    kfree(thread->cred);
    thread->cred = NULL;
    thread->task = NULL;
    kfree(t);
    process_put(p);
    thread_exit();
}

/* ---- waiting ---- */

static bool
wanted(const struct process *child, struct wait_whom whom, unsigned options)
{
    bool clone = child->exit_signal != SIGCHLD;

    if (!(options & WALL) && clone != !!(options & WCLONE))
        return false;
    return whom.kind == P_ALL || (whom.kind == P_PID ? child->pid : child->pgrp) == whom.id;
}

/* If @child has something to tell: fills in @r, forgets it (unless WNOWAIT), returns true. */
static bool
collect(struct process *child, unsigned options, struct wait_result *r)
{
    bool keep = options & WNOWAIT;
    struct task *t = list_first(&child->tasks, struct task, link);

    r->uid = t != NULL && t->thread->cred != NULL ? t->thread->cred->uid : child->dead_uid;
    process_times_locked(child, &r->usage.user, &r->usage.system);
    r->usage.user += child->child_user;
    r->usage.system += child->child_system;
    r->usage.minor = child->dead_minor + child->child_minor;
    r->usage.major = child->dead_major + child->child_major;
    if (child->state == PROCESS_ZOMBIE && (options & WEXITED)) {
        r->status = child->exit_status;
        if (!keep)
            unlink_locked(child);
        return true;
    }
    if (child->stopped && child->report_stop && (options & WUNTRACED)) {
        r->status = child->stop_signal << 8 | 0x7f;
        child->report_stop = keep;
        return true;
    }
    if (child->report_continue && (options & WCONTINUED)) {
        r->status = 0xffff;
        child->report_continue = keep;
        return true;
    }
    return false;
}

/*
 * One look at the children. Returns a pid, 0: none has anything to tell, -ECHILD: there
 * is none. *dead: to be put.
 */
static int64_t
look(struct wait_whom whom, unsigned options, struct wait_result *r, struct process **dead)
{
    struct process *child;
    int64_t result = -ECHILD;

    spin_lock(&proc_lock);
    list_for_each (child, &current_process()->children, sibling) {
        if (!wanted(child, whom, options))
            continue;
        result = 0;
        if (!collect(child, options, r))
            continue;
        result = child->pid;
        if (child->state == PROCESS_ZOMBIE && !(options & WNOWAIT))
            *dead = child;
        break;
    }
    spin_unlock(&proc_lock);
    return result;
}

int64_t
process_wait(struct wait_whom whom, unsigned options, struct wait_result *r)
{
    struct process *dead = NULL;
    int64_t result = 0;

    if (whom.kind == P_PGID && whom.id == 0)
        whom.id = current_process()->pgrp;

    int err = wait_event_interruptible(&current_process()->wait,
                                       (result = look(whom, options, r, &dead)) != 0 ||
                                           (options & WNOHANG));

    if (dead != NULL)
        process_put(dead); /* the table's reference */
    return err != 0 ? -ERESTARTSYS : result;
}
