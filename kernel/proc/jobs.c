/*
 * jobs.c - process groups, sessions, and who may signal whom: what a
 * shell's job control is made of.
 *
 * Contracts: POSIX setpgid, setsid, kill, 2.4.1 and 3.276 "Orphaned Process Group".
 * The terminal asks and tells by the up-calls of dev/tty.h, registered here.
 *
 * Locks: proc_lock.
 */
#include "kernel/proc/process.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/dev/tty.h"
#include "kernel/lib/assert.h"
#include "mm/space.h"

/* ---- groups and sessions ---- */

struct group_query {
    pid_t pgrp;
    pid_t session; /* of the group, 0: there is no such group */
    bool anchored; /* some member's parent is in the session, but in another group */
};

static void
look_at_member(struct process *p, void *arg)
{
    struct group_query *q = arg;

    if (p->pgrp != q->pgrp)
        return;
    q->session = p->session;
    if (p->state != PROCESS_ZOMBIE && p->parent != NULL && p->parent->pgrp != p->pgrp &&
        p->parent->session == p->session)
        q->anchored = true;
}

static struct group_query
query_group(pid_t pgrp)
{
    struct group_query q = {.pgrp = pgrp};

    process_for_each_locked(look_at_member, &q);
    return q;
}

bool
process_group_orphaned_locked(pid_t pgrp)
{
    return !query_group(pgrp).anchored;
}

/* setpgid's rules, proc_lock held. */
static int
judge_setpgid(struct process *self, struct process *p, pid_t pgrp)
{
    if (p == NULL || (p != self && p->parent != self))
        return -ESRCH;
    if (p != self && p->did_exec)
        return -EACCES;
    if (p->session != self->session || p->session == p->pid)
        return -EPERM;
    if (pgrp != p->pid && query_group(pgrp).session != p->session)
        return -EPERM;
    return 0;
}

int
process_setpgid(pid_t pid, pid_t pgrp)
{
    struct process *self = current_process();

    if (pgrp < 0)
        return -EINVAL;
    spin_lock(&proc_lock);
    struct process *p = pid == 0 ? self : process_find_locked(pid);

    if (pgrp == 0 && p != NULL)
        pgrp = p->pid;

    int err = judge_setpgid(self, p, pgrp);

    if (err == 0)
        p->pgrp = pgrp;
    spin_unlock(&proc_lock);
    return err;
}

pid_t
process_setsid(void)
{
    struct process *self = current_process();
    pid_t result = -EPERM;

    spin_lock(&proc_lock);
    /* A group leader may not: its group would lie in two sessions. */
    if (query_group(self->pid).session == 0) {
        self->session = self->pgrp = result = self->pid;
        self->tty = NULL;
    }
    spin_unlock(&proc_lock);
    return result;
}

/* ---- kill ---- */

bool
process_may_signal(struct process *target, int sig)
{
    const struct cred *c = current_thread()->cred;
    struct task *t = list_first(&target->tasks, struct task, link);

    if (c == NULL || cred_privileged(c))
        return true;
    if (sig == SIGCONT && target->session == current_process()->session)
        return true;
    if (t == NULL)
        return true; /* a zombie: nothing happens */
    return c->euid == t->thread->cred->uid || c->euid == t->thread->cred->suid ||
           c->uid == t->thread->cred->uid || c->uid == t->thread->cred->suid;
}

bool
process_may_control_locked(struct process *target)
{
    const struct cred *c = current_thread()->cred;
    struct task *t = list_first(&target->tasks, struct task, link);
    const struct cred *o = t != NULL ? t->thread->cred : NULL;

    if (cred_privileged(c) || target == current_process())
        return true;
    return o != NULL && c->uid == o->uid && c->uid == o->euid && c->uid == o->suid &&
           c->gid == o->gid && c->gid == o->egid && c->gid == o->sgid;
}

bool
process_may_look_into(const struct space *s)
{
    return s->dumpable || s == current_thread()->space ||
           cred_privileged(current_thread()->cred);
}

struct group_signal {
    pid_t pgrp; /* -1: everybody but init and the sender */
    int sig;
    const struct siginfo *info;
    bool check;
    int members, sent;
};

static void
signal_member(struct process *p, void *arg)
{
    struct group_signal *g = arg;

    if (g->pgrp == -1 ? p->pid <= 1 || p == current_process() : p->pgrp != g->pgrp)
        return;
    g->members++;
    if (g->check && !process_may_signal(p, g->sig))
        return;
    g->sent++;
    if (g->sig != 0)
        (void)signal_send_locked(p, g->sig, g->info);
}

int
process_signal_group(pid_t pgrp, int sig, const struct siginfo *info, bool check)
{
    struct group_signal g = {.pgrp = pgrp, .sig = sig, .info = info, .check = check};

    spin_lock(&proc_lock);
    process_for_each_locked(signal_member, &g);
    spin_unlock(&proc_lock);
    return g.members > 0 && g.sent == 0 ? -EPERM : g.members;
}

int
process_kill(pid_t pid, int sig, const struct siginfo *info)
{
    int err = 0;

    if (sig < 0 || sig > NSIG)
        return -EINVAL;
    if (pid <= 0) {
        if (pid == INT32_MIN)
            return -ESRCH;

        int n = process_signal_group(pid == 0    ? current_process()->pgrp
                                     : pid == -1 ? -1
                                                 : -pid,
                                     sig, info, true);
        return n == 0 ? -ESRCH : MIN(n, 0);
    }
    spin_lock(&proc_lock);
    struct process *p = process_find_locked(pid);

    if (p == NULL)
        err = -ESRCH;
    else if (!process_may_signal(p, sig))
        err = -EPERM;
    else if (sig != 0)
        err = signal_send_locked(p, sig, info);
    spin_unlock(&proc_lock);
    return err;
}

/* ---- the terminal's questions ---- */

static void
up_signal_group(pid_t pgrp, int sig)
{
    if (pgrp > 0)
        (void)process_signal_group(pgrp, sig, NULL, false);
}

static pid_t
up_caller_pgrp(void)
{
    return current_process() != NULL ? current_process()->pgrp : 0;
}

static pid_t
up_caller_session(void)
{
    return current_process() != NULL ? current_process()->session : 0;
}

static bool
up_caller_is_session_leader(void)
{
    return current_process() != NULL && current_process()->session == current_process()->pid;
}

static bool
up_caller_blocks(int sig)
{
    bool blocks;

    if (current_process() == NULL)
        return true;
    spin_lock(&proc_lock);
    blocks = (current_task()->blocked & SIGBIT(sig)) ||
             signal_ignored_locked(current_process(), sig);
    spin_unlock(&proc_lock);
    return blocks;
}

static bool
up_group_orphaned(pid_t pgrp)
{
    spin_lock(&proc_lock);
    bool orphaned = process_group_orphaned_locked(pgrp);
    spin_unlock(&proc_lock);
    return orphaned;
}

static pid_t
up_group_session(pid_t pgrp)
{
    spin_lock(&proc_lock);
    pid_t session = query_group(pgrp).session;
    spin_unlock(&proc_lock);
    return session != 0 ? session : -ESRCH;
}

static struct tty *
up_session_tty(void)
{
    return current_process() != NULL ? current_process()->tty : NULL;
}

struct set_tty {
    pid_t session;
    struct tty *tty;
};

static void
set_member_tty(struct process *p, void *arg)
{
    struct set_tty *s = arg;

    if (p->session == s->session)
        p->tty = s->tty;
}

static void
set_session_tty(pid_t session, struct tty *tty)
{
    struct set_tty s = {session, tty};

    spin_lock(&proc_lock);
    process_for_each_locked(set_member_tty, &s);
    spin_unlock(&proc_lock);
}

static void
up_set_session_tty(struct tty *tty)
{
    set_session_tty(up_caller_session(), tty);
}

void
process_forget_tty(pid_t session)
{
    set_session_tty(session, NULL);
}

static const struct tty_upcalls upcalls = {
    .signal_group = up_signal_group,
    .caller_pgrp = up_caller_pgrp,
    .caller_session = up_caller_session,
    .caller_is_session_leader = up_caller_is_session_leader,
    .caller_blocks = up_caller_blocks,
    .group_orphaned = up_group_orphaned,
    .group_session = up_group_session,
    .session_tty = up_session_tty,
    .set_session_tty = up_set_session_tty,
};

void
jobs_init(void)
{
    tty_set_upcalls(&upcalls);
}
