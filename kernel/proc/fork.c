/*
 * fork.c - a thread makes another, in its own process or in a new one: fork, vfork, clone.
 *
 * The child is a copy that shares what can be shared: memory copy-on-write
 * (mm/clone.c), or for threads and vfork the very space.
 * The parent's registers are copied to the top of the child's kernel stack, with 0 for the result.
 *
 * Everything that can fail is done before the child can be seen by anybody.
 */
#include "kernel/proc/process.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/sched.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/fpu.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/trace/trace.h"
#include "mm/clone.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"
#include "mm/space.h"

#define CLONE_KNOWN                                                                    \
    (CSIGNAL | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_VFORK | CLONE_SETTLS |        \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_SYSVSEM | \
     CLONE_PTRACE | CLONE_UNTRACED | CLONE_DETACHED | CLONE_IO | CLONE_CLEAR_SIGHAND)

/* What threads of one process share, and share with nobody else. */
#define CLONE_OF_THREADS (CLONE_THREAD | CLONE_SIGHAND)

#define CLONE_TRIES 4

/* First code of a child, in the kernel: straight to user mode. */
static void
child_begin(void *arg)
{
    struct task *t = current_task();

    (void)arg;

    if (t->clear_child_tid != 0 && t->set_child_tid) {
        int ignored = copy_to_user(t->clear_child_tid, &t->tid, sizeof(t->tid));

        (void)ignored; /* Linux does not care either */
        t->set_child_tid = false;
        if (!t->keep_clear_tid)
            t->clear_child_tid = 0;
    }
    trap_return_to_user((struct trapframe *)thread_user_frame(t->thread));
}

/* The child's memory: the parent's own, or a copy. */
static int
share_memory(struct thread *child, uint64_t flags)
{
    struct space *mine = current_thread()->space;

    if (flags & CLONE_VM) {
        child->space = space_get(mine);
    } else {
        child->space = space_clone(mine);
        if (child->space == NULL)
            return -ENOMEM;
    }
    child->pagetable = &child->space->pt;
    return 0;
}

/*
 * The child's descriptors, working directory, memory. What was done is
 * undone by process_discard.
 */
static int
share(struct thread *child, uint64_t flags)
{
    struct thread *me = current_thread();

    if (flags & CLONE_FILES)
        files_get(child->files = me->files);
    else
        child->files = files_fork(me->files);
    if (flags & CLONE_FS)
        fs_context_get(child->fs = me->fs);
    else
        child->fs = fs_context_fork(me->fs);
    if (child->files == NULL || child->fs == NULL)
        return -ENOMEM;
    return share_memory(child, flags);
}

/* The child's registers: the parent's, but for the result, the stack and the thread pointer. */
static void
copy_registers(struct task *child, const struct clone_args *a, const struct trapframe *tf)
{
    struct thread *me = current_thread();
    struct trapframe *child_tf = (struct trapframe *)thread_user_frame(child->thread);

    *child_tf = *tf;
    child_tf->rax = 0;
    if (a->stack != 0)
        child_tf->rsp = a->stack;
    fpu_save(me->fpu);
    memcpy(child->thread->fpu, me->fpu, fpu_size());
    child->thread->user_fs = a->flags & CLONE_SETTLS ? a->tls : cpu_get_user_fs();
    child->thread->user_gs = cpu_get_user_gs();
}

static void
inherit_task(struct task *child, const struct clone_args *a)
{
    struct task *me = current_task();

    child->thread->affinity = me->thread->affinity;
    /*
     * A child with a memory of its own, or a stack of its parent's (vfork),
     * keeps the alternate stack.
     */
    if (!(a->flags & CLONE_VM) || (a->flags & CLONE_VFORK))
        child->altstack = me->altstack;
    child->set_child_tid = a->flags & CLONE_CHILD_SETTID;
    child->keep_clear_tid = a->flags & CLONE_CHILD_CLEARTID;
    if (a->flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
        child->clear_child_tid = a->child_tid;
}

static int
judge_clone(const struct clone_args *a)
{
    uint64_t together = a->flags & CLONE_OF_THREADS;

    if (a->flags & ~(uint64_t)(CLONE_KNOWN | CLONE_OF_THREADS))
        return -EINVAL; /* name spaces and the like */
    /* SIMPLE: on Linux processes too may share their handlers; nobody is known to do so. */
    if (together != 0 && together != CLONE_OF_THREADS)
        return -EINVAL;
    if (together != 0 &&
        (!(a->flags & CLONE_VM) || (a->flags & (CLONE_VFORK | CLONE_CLEAR_SIGHAND))))
        return -EINVAL;
    if (a->exit_signal < 0 || a->exit_signal > NSIG)
        return -EINVAL;
    if ((a->flags & CLONE_SETTLS) && a->tls >= USER_TOP)
        return -EPERM;
    return 0;
}

/* vfork: the parent sleeps until the child has a space of its own or is gone. */
static void
wait_for_vfork(struct process *child)
{
    (void)wait_event_killable(&child->continued, !READ_ONCE(child->vfork_wait));
}

/* The id of the new one, for its parent. An address that is none is nobody's loss, as on Linux. */
static void
tell_parent_tid(const struct task *t, const struct clone_args *a)
{
    if (a->flags & CLONE_PARENT_SETTID) {
        int ignored = copy_to_user(a->parent_tid, &t->tid, sizeof(t->tid));

        (void)ignored;
    }
}

static int64_t
clone_thread(const struct clone_args *a, const struct trapframe *tf)
{
    struct task *t = task_create(current_process(), child_begin, NULL);

    if (t == NULL)
        return -ENOMEM;

    int err = share(t->thread, a->flags);

    if (err == 0) {
        copy_registers(t, a, tf);
        inherit_task(t, a);
        spin_lock(&proc_lock);
        err = task_attach_locked(t);
        spin_unlock(&proc_lock);
    }
    if (err != 0) {
        task_discard(t);
        return err;
    }

    pid_t tid = t->tid; /* once it runs, it may be gone */

    tell_parent_tid(t, a);
    trace_fork(TRACE_FORK_THREAD, tid, current_process()->pid);
    thread_start(t->thread);
    return tid;
}

static int64_t
clone_process(const struct clone_args *a, const struct trapframe *tf)
{
    struct process *me = current_process();
    struct task *t;
    int err = process_create(me, child_begin, &t);

    if (err != 0)
        return err;

    struct process *child = t->process;

    err = share(t->thread, a->flags);

    if (err != 0) {
        process_discard(child, t);
        return err;
    }
    copy_registers(t, a, tf);
    inherit_task(t, a);
    if (a->flags & CLONE_CLEAR_SIGHAND)
        signal_reset_handlers(child);
    tell_parent_tid(t, a);

    pid_t pid = child->pid;
    bool vfork = a->flags & CLONE_VFORK;

    spin_lock(&proc_lock);
    child->exit_signal = a->exit_signal;
    child->vfork_wait = vfork;
    if (vfork)
        process_get(child);
    process_enter_family(child, me);
    spin_unlock(&proc_lock);
    trace_fork(a->flags & CLONE_VM ? TRACE_FORK_SHARING_PROCESS : TRACE_FORK_PROCESS, pid, pid);
    thread_start(t->thread);
    if (vfork) {
        wait_for_vfork(child);
        process_put(child);
    }
    return pid;
}

int64_t
process_clone(const struct clone_args *a, const struct trapframe *tf)
{
    int64_t result = judge_clone(a);

    if (result != 0)
        return result;
    /* Memory may be had after others have given some up, but not for ever. */
    for (int tries = 0; tries < CLONE_TRIES; tries++) {
        result = a->flags & CLONE_THREAD ? clone_thread(a, tf) : clone_process(a, tf);
        if (result != -ENOMEM || reclaim_ask(current_thread()->space) != 0)
            break;
    }
    return result;
}
