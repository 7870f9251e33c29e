/*
 * signals.c - the system calls about signals. Contracts: the rt_sig pages of
 * Linux's manual, section 2.
 */
#include "kernel/sys/table.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/time.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/restart.h"
#include "kernel/proc/process.h"

static struct trapframe *
my_frame(void)
{
    return (struct trapframe *)thread_user_frame(current_thread());
}

int64_t
sys_rt_sigaction(const uint64_t a[6])
{
    struct process *p = current_process();
    int sig = (int)a[0];
    struct sigaction new = {0}, old;

    if (a[3] != sizeof(sigset_t) || sig < 1 || sig > NSIG)
        return -EINVAL;
    if (a[1] != 0) {
        if (sig == SIGKILL || sig == SIGSTOP)
            return -EINVAL;
        if (copy_from_user(&new, a[1], sizeof(new)) != 0)
            return -EFAULT;
        new.mask &= ~UNBLOCKABLE;
    }
    spin_lock(&proc_lock);
    old = p->actions[sig - 1];
    if (a[1] != 0) {
        p->actions[sig - 1] = new;
        if (signal_ignored_locked(p, sig))
            signal_discard_locked(p, sig);
    }
    spin_unlock(&proc_lock);
    return a[2] != 0 ? copy_to_user(a[2], &old, sizeof(old)) : 0;
}

int64_t
sys_rt_sigprocmask(const uint64_t a[6])
{
    sigset_t old = current_task()->blocked, set;

    if (a[3] != sizeof(sigset_t))
        return -EINVAL;
    if (a[1] != 0) {
        if (copy_from_user(&set, a[1], sizeof(set)) != 0)
            return -EFAULT;
        switch ((int)a[0]) {
        case SIG_BLOCK:
            signal_set_mask(old | set);
            break;
        case SIG_UNBLOCK:
            signal_set_mask(old & ~set);
            break;
        case SIG_SETMASK:
            signal_set_mask(set);
            break;
        default:
            return -EINVAL;
        }
    }
    return a[2] != 0 ? copy_to_user(a[2], &old, sizeof(old)) : 0;
}

int64_t
sys_rt_sigreturn(const uint64_t a[6])
{
    struct trapframe *tf = my_frame();

    (void)a;
    if (sigframe_restore(tf) != 0) {
        struct siginfo info = {.signo = SIGSEGV, .code = SI_KERNEL};

        signal_force(SIGSEGV, &info);
    }
    return (int64_t)tf->rax;
}

int64_t
sys_rt_sigpending(const uint64_t a[6])
{
    struct task *t = current_task();

    spin_lock(&proc_lock);
    sigset_t set = (t->pending.set | t->process->pending.set) & t->blocked;
    spin_unlock(&proc_lock);
    if (a[1] > sizeof(set))
        return -EINVAL;
    return copy_to_user(a[0], &set, a[1]);
}

/* Sleeps until a signal is to be delivered. */
static int64_t
wait_for_signal(void)
{
    int err;

    do {
        sched_prepare_sleep();
        err = sched_sleep(SLEEP_INTERRUPTIBLE, UINT64_MAX);
    } while (err == 0);
    sched_cancel_sleep();
    return -ERESTARTNOHAND;
}

int64_t
sys_rt_sigsuspend(const uint64_t a[6])
{
    sigset_t mask;

    if (a[1] != sizeof(mask))
        return -EINVAL;
    if (copy_from_user(&mask, a[0], sizeof(mask)) != 0)
        return -EFAULT;
    signal_set_temp_mask_value(mask);
    return wait_for_signal();
}

int64_t
sys_pause(const uint64_t a[6])
{
    (void)a;
    return wait_for_signal();
}

static void
set_awaited(sigset_t set)
{
    spin_lock(&proc_lock);
    current_task()->awaited = set;
    spin_unlock(&proc_lock);
}

int64_t
sys_rt_sigtimedwait(const uint64_t a[6])
{
    struct task *t = current_task();
    sigset_t set, saved = t->blocked;
    struct timespec ts;
    struct siginfo info;
    nsec_t deadline = UINT64_MAX;
    int sig, err = 0;

    if (a[3] != sizeof(set))
        return -EINVAL;
    if (copy_from_user(&set, a[0], sizeof(set)) != 0)
        return -EFAULT;
    if (a[2] != 0) {
        if (copy_from_user(&ts, a[2], sizeof(ts)) != 0)
            return -EFAULT;
        if (!timespec_valid(&ts))
            return -EINVAL;
        deadline = clock_now() + MIN(timespec_to_nsec(&ts), UINT64_MAX / 2);
    }
    set &= ~UNBLOCKABLE;
    /* Not blocked, so that one of them ends the sleep; and kept, though it may be ignored. */
    set_awaited(set);
    signal_set_mask(saved & ~set);
    for (;;) {
        sched_prepare_sleep();
        sig = signal_take(set, &info);
        if (sig != 0 || err == -ETIMEDOUT || (err != 0 && t->thread->interrupted))
            break; /* else another thread has taken what ended our sleep */
        err = sched_sleep(SLEEP_INTERRUPTIBLE, deadline);
    }
    sched_cancel_sleep();
    signal_set_mask(saved); /* first: what is neither blocked nor awaited may be dropped */
    set_awaited(0);
    if (sig == 0)
        return err == -ETIMEDOUT ? -EAGAIN : -EINTR;
    if (a[1] != 0 && copy_to_user(a[1], &info, sizeof(info)) != 0)
        return -EFAULT;
    return sig;
}

static bool
stack_in_use(const struct task *t)
{
    return !(t->altstack.flags & SS_DISABLE) &&
           my_frame()->rsp - t->altstack.sp <= t->altstack.size;
}

int64_t
sys_sigaltstack(const uint64_t a[6])
{
    struct task *t = current_task();
    struct sigstack new, old = t->altstack;

    if (stack_in_use(t))
        old.flags |= SS_ONSTACK;
    if (a[0] != 0) {
        if (copy_from_user(&new, a[0], sizeof(new)) != 0)
            return -EFAULT;
        if (stack_in_use(t))
            return -EPERM;
        if (new.flags != 0 && new.flags != SS_DISABLE &&new.flags != SS_ONSTACK)
            return -EINVAL;
        if (new.flags == SS_DISABLE)
            new = (struct sigstack){.flags = SS_DISABLE};
        else if (new.size < MINSIGSTKSZ)
            return -ENOMEM;
        new.flags &= (int32_t)~SS_ONSTACK;
        new.pad = 0;
        t->altstack = new;
    }
    return a[1] != 0 ? copy_to_user(a[1], &old, sizeof(old)) : 0;
}

/* ---- sending ---- */

static struct siginfo
sender(int sig, int code)
{
    return (struct siginfo){
        .signo = sig,
        .code = code,
        .kill = {.pid = current_process()->pid, .uid = current_thread()->cred->uid}};
}

int64_t
sys_kill(const uint64_t a[6])
{
    struct siginfo info = sender((int)a[1], SI_USER);

    return process_kill((pid_t)a[0], (int)a[1], &info);
}

/* To the thread @tid, of process @tgid unless that is -1. */
static int64_t
send_to_task(pid_t tgid, pid_t tid, int sig, const struct siginfo *info)
{
    int err = -ESRCH;

    if (tid <= 0 || (tgid <= 0 && tgid != -1) || sig < 0 || sig > NSIG)
        return -EINVAL;
    spin_lock(&proc_lock);
    struct task *t = task_find_locked(tid);

    if (t != NULL && (tgid == -1 || t->process->pid == tgid)) {
        err = process_may_signal(t->process, sig) ? 0 : -EPERM;
        if (err == 0 && sig != 0)
            err = signal_send_task_locked(t, sig, info);
    }
    spin_unlock(&proc_lock);
    return err;
}

int64_t
sys_tkill(const uint64_t a[6])
{
    struct siginfo info = sender((int)a[1], SI_TKILL);

    if ((pid_t)a[0] <= 0)
        return -EINVAL;
    return send_to_task(-1, (pid_t)a[0], (int)a[1], &info);
}

int64_t
sys_tgkill(const uint64_t a[6])
{
    struct siginfo info = sender((int)a[2], SI_TKILL);

    if ((pid_t)a[0] <= 0)
        return -EINVAL;
    return send_to_task((pid_t)a[0], (pid_t)a[1], (int)a[2], &info);
}

/* A siginfo from a program: it may not pretend to come from the kernel or from kill(). */
static int
take_siginfo(vaddr_t uinfo, pid_t target, int sig, struct siginfo *info)
{
    if (copy_from_user(info, uinfo, sizeof(*info)) != 0)
        return -EFAULT;
    info->signo = sig;
    if ((info->code >= 0 || info->code == SI_TKILL) && target != current_process()->pid)
        return -EPERM;
    return 0;
}

int64_t
sys_rt_sigqueueinfo(const uint64_t a[6])
{
    struct siginfo info;
    int err = take_siginfo(a[2], (pid_t)a[0], (int)a[1], &info);

    if (err != 0)
        return err;
    return (pid_t)a[0] <= 0 ? -ESRCH : process_kill((pid_t)a[0], (int)a[1], &info);
}

int64_t
sys_rt_tgsigqueueinfo(const uint64_t a[6])
{
    struct siginfo info;
    int err = take_siginfo(a[3], (pid_t)a[0], (int)a[2], &info);

    if (err != 0)
        return err;
    return (pid_t)a[0] <= 0 ? -EINVAL
                            : send_to_task((pid_t)a[0], (pid_t)a[1], (int)a[2], &info);
}
