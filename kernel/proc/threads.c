/*
 * threads.c - the threads of one process, when something concerns them all: they end, one of them
 * executes another program, or one writes the core of them all.
 *
 * No thread can end another.  It marks it (thread_doom), and the marked one comes to task_exit by
 * itself on its way to user mode; sleeps that could last for ever end at once.
 *
 * Contracts: exit_group(2), execve(2) "Effect on process attributes", core(5), set_robust_list(2),
 * set_tid_address(2).
 *
 * Locks: proc_lock.
 */
#include "kernel/proc/process.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/proc/core.h"
#include "kernel/proc/futex.h"
#include "mm/space.h"

bool
task_ends_locked(const struct task *t)
{
    const struct process *p = t->process;

    return p->exiting || (p->survivor != NULL && p->survivor != t);
}

static void
doom_others_locked(struct process *p)
{
    struct task *t;

    list_for_each (t, &p->tasks, link)
        if (t != current_task())
            thread_doom(t->thread);
}

/* All threads end. False: somebody has said so before, with another status. P held. */
static bool
begin_exit_locked(struct process *p, int status)
{
    if (task_ends_locked(current_task()))
        return false;
    p->exiting = true;
    p->group_exit_status = status;
    doom_others_locked(p);
    return true;
}

void
process_exit(int status)
{
    spin_lock(&proc_lock);
    (void)begin_exit_locked(current_process(), status);
    spin_unlock(&proc_lock);
    task_exit(status);
}

/* ---- a core of them all ---- */

void
task_park_for_core(void)
{
    struct process *p = current_process();

    if (READ_ONCE(p->dumper) == NULL || p->dumper == current_task())
        return;
    thread_save_user_state(); /* the writer may look before this CPU has switched away */
    spin_lock(&proc_lock);
    p->nparked++;
    waitq_wake_all(&p->gathered);
    spin_unlock(&proc_lock);
    wait_event(&p->continued, READ_ONCE(p->dumper) == NULL);
}

/* Every other thread stands still with its registers saved, or is gone. */
static bool
all_parked(struct process *p)
{
    spin_lock(&proc_lock);
    bool all = p->nparked == p->ntasks - 1;
    spin_unlock(&proc_lock);
    return all;
}

void
process_exit_with_core(const struct siginfo *info)
{
    struct process *p = current_process();

    spin_lock(&proc_lock);
    bool first = begin_exit_locked(p, info->signo);

    if (first)
        p->dumper = current_task();
    spin_unlock(&proc_lock);
    if (first) {
        wait_event(&p->gathered, all_parked(p));

        bool dumped = core_dump(info);

        spin_lock(&proc_lock);
        p->group_exit_status |= dumped ? WAIT_DUMPED : 0;
        p->dumper = NULL;
        waitq_wake_all(&p->continued);
        spin_unlock(&proc_lock);
    }
    task_exit(info->signo);
}

/* ---- exec ---- */

int
process_end_other_threads(void)
{
    struct process *p = current_process();
    struct task *me = current_task();

    spin_lock(&proc_lock);
    bool ends = task_ends_locked(me);

    if (!ends) {
        p->survivor = me;
        doom_others_locked(p);
    }
    spin_unlock(&proc_lock);
    if (ends)
        return -EAGAIN;
    wait_event(&p->gathered, READ_ONCE(p->ntasks) == 1);
    spin_lock(&proc_lock);
    p->survivor = NULL;
    me->tid = p->pid; /* it is the first thread now */
    me->thread->trace_id = this_cpu()->trace_id = p->pid;
    spin_unlock(&proc_lock);
    return 0;
}

/* ---- words in user memory that others wait for ---- */

#define ROBUST_MAX 2048 /* entries; a list without end is a damaged one */
#define ROBUST_PI  1UL  /* in an entry's address: a kind of lock that there is not here */

/* set_robust_list(2)'s structure. */
struct robust_head {
    vaddr_t next;
    int64_t futex_offset;
    vaddr_t pending; /* being taken or given up right now */
};

/* The owner of the lock word at @addr dies. */
static void
lose_lock(const struct task *t, vaddr_t addr, bool pending)
{
    uint32_t word, seen;

    if (addr % sizeof(word) != 0 || copy_from_user(&word, addr, sizeof(word)) != 0)
        return;
    /* Given up, but it could not wake the next one any more. */
    if (pending && word == 0)
        (void)futex_wake(addr, 1, FUTEX_ANY);
    while ((word & FUTEX_TID_MASK) == (uint32_t)t->tid) {
        uint32_t lost = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;

        if (cmpxchg_user(addr, word, lost, &seen) != 0)
            return;
        if (seen == word) {
            if (word & FUTEX_WAITERS)
                (void)futex_wake(addr, 1, FUTEX_ANY);
            return;
        }
        word = seen;
    }
}

static void
lose_locks(const struct task *t)
{
    struct robust_head head;
    vaddr_t entry, next;

    if (t->robust_list == 0 || copy_from_user(&head, t->robust_list, sizeof(head)) != 0)
        return;
    entry = head.next & ~ROBUST_PI;
    for (int n = 0; n < ROBUST_MAX && entry != t->robust_list; n++, entry = next & ~ROBUST_PI) {
        /* Read first: once the lock is lost, the entry may be another thread's. */
        int err = copy_from_user(&next, entry, sizeof(next));

        if (entry != (head.pending & ~ROBUST_PI))
            lose_lock(t, entry + head.futex_offset, false);
        if (err != 0)
            break;
    }
    if (head.pending != 0)
        lose_lock(t, (head.pending & ~ROBUST_PI) + head.futex_offset, true);
}

void
task_release_words(struct task *t)
{
    uint32_t zero = 0;

    lose_locks(t);
    /* Where nobody else shares the memory nobody can see it. */
    if (t->clear_child_tid != 0 && READ_ONCE(t->thread->space->refs) > 1 &&
        copy_to_user(t->clear_child_tid, &zero, sizeof(zero)) == 0)
        (void)futex_wake(t->clear_child_tid, 1, FUTEX_ANY);
    t->robust_list = t->clear_child_tid = 0;
}
