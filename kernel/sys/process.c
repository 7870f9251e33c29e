/*
 * process.c - the system calls about processes: identity, making, ending, waiting, limits.
 */
#include "kernel/sys/table.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/fcntl.h"
#include "kernel/abi/sched.h"
#include "kernel/abi/time.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/sched/sched.h"
#include "mm/space.h"
#include "mm/tlb.h"

static struct trapframe *
my_frame(void)
{
    return (struct trapframe *)thread_user_frame(current_thread());
}

/* ---- making ---- */

int64_t
sys_fork(const uint64_t a[6])
{
    struct clone_args c = {.exit_signal = SIGCHLD};

    (void)a;
    return process_clone(&c, my_frame());
}

int64_t
sys_vfork(const uint64_t a[6])
{
    struct clone_args c = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD};

    (void)a;
    return process_clone(&c, my_frame());
}

int64_t
sys_clone(const uint64_t a[6])
{
    struct clone_args c = {
        .flags = (uint32_t)a[0] & ~(uint64_t)CSIGNAL,
        .exit_signal = a[0] & CSIGNAL,
        .stack = a[1],
        .parent_tid = a[2],
        .child_tid = a[3],
        .tls = a[4],
    };

    return process_clone(&c, my_frame());
}

/* clone3's own structure; what follows `tls` came later, and has to be 0 here. */
struct clone3_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};

#define CLONE3_LEAST offsetof(struct clone3_args, set_tid)

/* 0, or -EINVAL, -EFAULT; -E2BIG: it asks for something that nobody here has heard of. */
static int
read_clone3_args(vaddr_t uargs, size_t size, struct clone3_args *c)
{
    memset(c, 0, sizeof(*c));
    if (size < CLONE3_LEAST)
        return -EINVAL;
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (copy_from_user(c, uargs, MIN(size, sizeof(*c))) != 0)
        return -EFAULT;
    for (size_t k = sizeof(*c); k < size; k++) {
        char more;

        if (copy_from_user(&more, uargs + k, 1) != 0)
            return -EFAULT;
        if (more != 0)
            return -E2BIG;
    }
    return 0;
}

int64_t
sys_clone3(const uint64_t a[6])
{
    struct clone3_args c;
    int err = read_clone3_args(a[0], a[1], &c);

    if (err != 0)
        return err;
    if ((c.flags & (CSIGNAL | CLONE_DETACHED)) || c.exit_signal > NSIG || c.set_tid != 0 ||
        c.set_tid_size != 0 || (c.stack == 0) != (c.stack_size == 0) ||
        ((c.flags & CLONE_THREAD) && c.exit_signal != 0) || !range_ok(c.stack, c.stack_size))
        return -EINVAL;

    struct clone_args args = {.flags = c.flags,
                              .exit_signal = (int)c.exit_signal,
                              .stack = c.stack + c.stack_size,
                              .parent_tid = c.parent_tid,
                              .child_tid = c.child_tid,
                              .tls = c.tls};

    return process_clone(&args, my_frame());
}

int64_t
sys_execve(const uint64_t a[6])
{
    return process_exec(AT_FDCWD, a[0], a[1], a[2], 0, my_frame());
}

int64_t
sys_execveat(const uint64_t a[6])
{
    unsigned flags = (unsigned)a[4];

    if (flags & ~(unsigned)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    return process_exec((int)a[0], a[1], a[2], a[3], flags, my_frame());
}

int64_t
sys_exit(const uint64_t a[6])
{
    task_exit(WAIT_EXITED((int)a[0]));
}

int64_t
sys_exit_group(const uint64_t a[6])
{
    process_exit(WAIT_EXITED((int)a[0]));
}

/* ---- waiting ---- */

static void
fill_rusage(struct rusage *u, const struct rusage_times *t)
{
    memset(u, 0, sizeof(*u));
    u->utime = nsec_to_timeval(t->user);
    u->stime = nsec_to_timeval(t->system);
    u->minflt = (int64_t)t->minor;
    u->majflt = (int64_t)t->major;
}

/* wait4's one number: a child, -1: any, 0: the own group, else a group's number below 0. */
static struct wait_whom
whom_of(pid_t pid)
{
    if (pid == -1)
        return (struct wait_whom){P_ALL, 0};
    return pid > 0 ? (struct wait_whom){P_PID, pid} : (struct wait_whom){P_PGID, -pid};
}

int64_t
sys_wait4(const uint64_t a[6])
{
    unsigned options = (unsigned)a[2];
    struct wait_result r;
    struct rusage usage;

    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE))
        return -EINVAL;
    if ((pid_t)a[0] == INT32_MIN)
        return -ESRCH;

    int64_t pid = process_wait(whom_of((pid_t)a[0]), options | WEXITED, &r);

    if (pid <= 0)
        return pid;
    if (a[1] != 0 && copy_to_user(a[1], &r.status, sizeof(r.status)) != 0)
        return -EFAULT;
    fill_rusage(&usage, &r.usage);
    if (a[3] != 0 && copy_to_user(a[3], &usage, sizeof(usage)) != 0)
        return -EFAULT;
    return pid;
}

/* A wait status as waitid's siginfo tells it. */
static struct siginfo
status_info(int64_t pid, const struct wait_result *r)
{
    struct siginfo info = {.signo = SIGCHLD, .child = {.pid = (int32_t)pid, .uid = r->uid}};

    if (r->status == 0xffff) {
        info.code = CLD_CONTINUED;
        info.child.status = SIGCONT;
    } else if ((r->status & 0xff) == 0x7f) {
        info.code = CLD_STOPPED;
        info.child.status = r->status >> 8;
    } else if ((r->status & 0x7f) != 0) {
        info.code = r->status & 0x80 ? CLD_DUMPED : CLD_KILLED;
        info.child.status = r->status & 0x7f;
    } else {
        info.code = CLD_EXITED;
        info.child.status = r->status >> 8;
    }
    return info;
}

int64_t
sys_waitid(const uint64_t a[6])
{
    unsigned options = (unsigned)a[3];
    struct wait_whom whom = {(int)a[0], (pid_t)a[1]};
    struct siginfo info = {0};
    struct wait_result r;
    struct rusage usage;

    if ((options &
         ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WNOTHREAD | WALL | WCLONE)) ||
        !(options & (WEXITED | WSTOPPED | WCONTINUED)) || a[0] > P_PGID)
        return -EINVAL;
    if ((whom.kind == P_PID && whom.id <= 0) || (whom.kind == P_PGID && whom.id < 0))
        return -EINVAL;

    int64_t pid = process_wait(whom, options, &r);

    if (pid < 0)
        return pid;
    if (pid > 0)
        info = status_info(pid, &r);
    if (a[2] != 0 && copy_to_user(a[2], &info, sizeof(info)) != 0)
        return -EFAULT;
    fill_rusage(&usage, &r.usage);
    if (pid > 0 && a[4] != 0 && copy_to_user(a[4], &usage, sizeof(usage)) != 0)
        return -EFAULT;
    return 0;
}

/* ---- who ---- */

int64_t
sys_getpid(const uint64_t a[6])
{
    (void)a;
    return current_process()->pid;
}

int64_t
sys_gettid(const uint64_t a[6])
{
    (void)a;
    return current_task()->tid;
}

int64_t
sys_getppid(const uint64_t a[6])
{
    (void)a;
    spin_lock(&proc_lock);
    struct process *parent = current_process()->parent;
    pid_t pid = parent != NULL ? parent->pid : 0;
    spin_unlock(&proc_lock);
    return pid;
}

int64_t
sys_getpgrp(const uint64_t a[6])
{
    (void)a;
    return current_process()->pgrp;
}

/* Group or session of a process, 0: the caller. */
static int64_t
group_or_session(pid_t pid, bool session)
{
    int64_t result = -ESRCH;

    spin_lock(&proc_lock);
    struct process *p = pid == 0 ? current_process() : process_find_locked(pid);

    if (p != NULL)
        result = session ? p->session : p->pgrp;
    spin_unlock(&proc_lock);
    return result;
}

int64_t
sys_getpgid(const uint64_t a[6])
{
    return group_or_session((pid_t)a[0], false);
}

int64_t
sys_getsid(const uint64_t a[6])
{
    return group_or_session((pid_t)a[0], true);
}

int64_t
sys_setpgid(const uint64_t a[6])
{
    return process_setpgid((pid_t)a[0], (pid_t)a[1]);
}

int64_t
sys_setsid(const uint64_t a[6])
{
    (void)a;
    return process_setsid();
}

int64_t
sys_set_tid_address(const uint64_t a[6])
{
    current_task()->clear_child_tid = a[0];
    return current_task()->tid;
}

int64_t
sys_set_robust_list(const uint64_t a[6])
{
    if (a[1] != 24)
        return -EINVAL;
    current_task()->robust_list = a[0];
    return 0;
}

/* glibc asks for it in every program and does without; here, so that it is not logged. */
int64_t
sys_rseq(const uint64_t a[6])
{
    (void)a;
    return -ENOSYS;
}

int64_t
sys_get_robust_list(const uint64_t a[6])
{
    uint64_t len = 24;
    int64_t err = -ESRCH;
    vaddr_t list = 0;

    spin_lock(&proc_lock);
    struct task *t = a[0] == 0 ? current_task() : task_find_locked((pid_t)a[0]);

    if (t != NULL) {
        list = t->robust_list;
        err = process_may_signal(t->process, 0) ? 0 : -EPERM;
    }
    spin_unlock(&proc_lock);
    if (err != 0)
        return err;
    if (copy_to_user(a[2], &len, sizeof(len)) != 0 ||
        copy_to_user(a[1], &list, sizeof(list)) != 0)
        return -EFAULT;
    return 0;
}

int64_t
sys_personality(const uint64_t a[6])
{
    struct process *p = current_process();
    int64_t old = (int64_t)p->personality;

    if ((uint32_t)a[0] != 0xffffffff)
        p->personality = (uint32_t)a[0];
    return old;
}

/* ---- limits and accounts ---- */

/*
 * Tells those who look at a limit in the space, where it does not cost them a lock.  Who changes
 * it at the same moment does so too: the last one of both sets what it is by then.
 */
static void
apply_to_space(struct process *p, unsigned which)
{
    struct space *s = process_space(p);

    if (s == NULL)
        return;
    mutex_lock(&s->lock);
    uint64_t soft = READ_ONCE(p->rlimits[which].soft);

    if (which == RLIMIT_STACK)
        s->stack_limit = soft;
    else if (which == RLIMIT_DATA)
        s->data_limit = soft;
    else if (which == RLIMIT_AS)
        s->as_limit = soft;
    mutex_unlock(&s->lock);
    space_put(s);
}

/* The same for those to whom proc_lock, which is held, keeps the way open. */
static void
apply_locked(struct process *p, unsigned which)
{
    uint64_t soft = p->rlimits[which].soft;
    struct files *files = process_files_locked(p);

    if (which == RLIMIT_CPU)
        itimer_limit_locked(p);
    else if (which == RLIMIT_FSIZE && files != NULL)
        files_set_size_limit(files, soft);
    else if (which == RLIMIT_NOFILE && files != NULL)
        files_set_limit(files, (unsigned)MIN(soft, (uint64_t)FILES_MAX));
}

/* Reads and sets one limit of a process. @new: NULL: not asked for. */
static int
change_limit(struct process *p, unsigned which, const struct rlimit *new, struct rlimit *old)
{
    int err = 0;

    if (which >= RLIMIT_COUNT || (new != NULL &&new->soft > new->hard))
        return -EINVAL;
    spin_lock(&proc_lock);
    *old = p->rlimits[which];
    if (!process_may_control_locked(p))
        err = -EPERM;
    else if (new != NULL &&new->hard > old->hard &&
             (!cred_privileged(current_thread()->cred) || which == RLIMIT_NOFILE))
        err = -EPERM;
    else if (new != NULL)
        p->rlimits[which] = *new;
    if (err == 0 && new != NULL)
        apply_locked(p, which);
    spin_unlock(&proc_lock);
    if (new != NULL && err == 0)
        apply_to_space(p, which);
    return err;
}

int64_t
sys_prlimit64(const uint64_t a[6])
{
    pid_t pid = a[0] != 0 ? (pid_t)a[0] : current_process()->pid;
    struct rlimit new, old;

    if (a[2] != 0 && copy_from_user(&new, a[2], sizeof(new)) != 0)
        return -EFAULT;

    struct process *p = process_find(pid);
    if (p == NULL)
        return -ESRCH;
    int err = change_limit(p, (unsigned)a[1], a[2] != 0 ? &new : NULL, &old);
    process_put(p);
    if (err == 0 && a[3] != 0 && copy_to_user(a[3], &old, sizeof(old)) != 0)
        err = -EFAULT;
    return err;
}

int64_t
sys_getrlimit(const uint64_t a[6])
{
    struct rlimit old;
    int err = change_limit(current_process(), (unsigned)a[0], NULL, &old);

    return err != 0 ? err : copy_to_user(a[1], &old, sizeof(old));
}

int64_t
sys_setrlimit(const uint64_t a[6])
{
    struct rlimit new, old;

    if (copy_from_user(&new, a[1], sizeof(new)) != 0)
        return -EFAULT;
    return change_limit(current_process(), (unsigned)a[0], &new, &old);
}

#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD   1

/* SIMPLE: faults are the process's, also for one thread; switches the thread's, also for all. */
int64_t
sys_getrusage(const uint64_t a[6])
{
    struct process *p = current_process();
    struct space *s = current_thread()->space;
    struct rusage_times t;
    struct rusage usage;
    int who = (int)a[0];

    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
        return -EINVAL;
    spin_lock(&proc_lock);
    if (who == RUSAGE_CHILDREN) {
        t = (struct rusage_times){p->child_user, p->child_system, p->child_minor,
                                  p->child_major};
    } else {
        if (who == RUSAGE_THREAD)
            thread_times(current_thread(), &t.user, &t.system);
        else
            process_times_locked(p, &t.user, &t.system);
        t.minor = p->dead_minor + s->faults.minor;
        t.major = p->dead_major + s->faults.major;
    }
    spin_unlock(&proc_lock);
    fill_rusage(&usage, &t);
    if (who != RUSAGE_CHILDREN) {
        usage.maxrss = (int64_t)(s->resident_peak * PAGE_SIZE / KIB);
        usage.nvcsw = (int64_t)current_thread()->switches_voluntary;
        usage.nivcsw = (int64_t)current_thread()->switches_forced;
    }
    return copy_to_user(a[1], &usage, sizeof(usage));
}

int64_t
sys_times(const uint64_t a[6])
{
    struct process *p = current_process();
    const nsec_t tick = NSEC_PER_SEC / 100;
    nsec_t user, system;
    int64_t tms[4];

    spin_lock(&proc_lock);
    process_times_locked(p, &user, &system);
    tms[0] = (int64_t)(user / tick);
    tms[1] = (int64_t)(system / tick);
    tms[2] = (int64_t)(p->child_user / tick);
    tms[3] = (int64_t)(p->child_system / tick);
    spin_unlock(&proc_lock);
    if (a[0] != 0 && copy_to_user(a[0], tms, sizeof(tms)) != 0)
        return -EFAULT;
    return (int64_t)(clock_now() / tick);
}

/* ---- scheduling ---- */

int64_t
sys_sched_yield(const uint64_t a[6])
{
    (void)a;
    sched_give_way();
    return 0;
}

int64_t
sys_sched_getaffinity(const uint64_t a[6])
{
    uint64_t mask = 0;

    if (a[1] < sizeof(mask) || a[1] % sizeof(mask) != 0)
        return -EINVAL;
    spin_lock(&proc_lock);
    struct task *t = a[0] == 0 ? current_task() : task_find_locked((pid_t)a[0]);
    if (t != NULL)
        mask = t->thread->affinity & ((1U << cpu_count) - 1);
    spin_unlock(&proc_lock);
    if (t == NULL)
        return -ESRCH;
    return copy_to_user(a[2], &mask, sizeof(mask)) != 0 ? -EFAULT : (int64_t)sizeof(mask);
}

int64_t
sys_sched_setaffinity(const uint64_t a[6])
{
    uint64_t mask = 0;
    int err = -ESRCH;

    if (copy_from_user(&mask, a[2], MIN(a[1], sizeof(mask))) != 0)
        return -EFAULT;
    spin_lock(&proc_lock);
    struct task *t = a[0] == 0 ? current_task() : task_find_locked((pid_t)a[0]);
    if (t != NULL && !process_may_control_locked(t->process))
        err = -EPERM;
    else if (t != NULL)
        err = sched_set_affinity(t->thread, (uint32_t)mask);
    spin_unlock(&proc_lock);
    return err;
}

#define MEMBARRIER_QUERY    0
#define MEMBARRIER_GLOBAL   (1 << 0)
#define MEMBARRIER_PRIVATE  (1 << 3)
#define MEMBARRIER_REGISTER (1 << 4) /* who wants the private one says so first */
#define MEMBARRIER_ALL      (MEMBARRIER_GLOBAL | MEMBARRIER_PRIVATE | MEMBARRIER_REGISTER)

/* An interrupt is a barrier: every CPU has one, whoever it runs. */
int64_t
sys_membarrier(const uint64_t a[6])
{
    if (a[1] != 0)
        return -EINVAL;
    switch (a[0]) {
    case MEMBARRIER_QUERY:
        return MEMBARRIER_ALL;
    case MEMBARRIER_REGISTER:
        current_process()->wants_barriers = true;
        return 0;
    case MEMBARRIER_PRIVATE:
        if (!current_process()->wants_barriers)
            return -EPERM;
        /* fallthrough */
    case MEMBARRIER_GLOBAL:
        tlb_flush_kernel(0, 0);
        return 0;
    default:
        return -EINVAL;
    }
}

int64_t
sys_getcpu(const uint64_t a[6])
{
    uint32_t cpu = this_cpu()->id, node = 0;

    if ((a[0] != 0 && copy_to_user(a[0], &cpu, sizeof(cpu)) != 0) ||
        (a[1] != 0 && copy_to_user(a[1], &node, sizeof(node)) != 0))
        return -EFAULT;
    return 0;
}

/* SIMPLE: nice values are kept and shown; the scheduler does not look at them. */
#define PRIO_PROCESS 0
#define PRIO_PGRP    1
#define PRIO_USER    2

/* The processes that getpriority or setpriority is about. */
struct nice_query {
    unsigned kind;
    uint32_t who;
    bool set;
    int nice; /* to be set; or the least that was found */
    int64_t result;
};

static bool
nice_concerns(const struct nice_query *q, const struct process *p, const struct cred *c)
{
    if (q->kind == PRIO_PROCESS)
        return (uint32_t)p->pid == q->who;
    if (q->kind == PRIO_PGRP)
        return (uint32_t)p->pgrp == q->who;
    return c->uid == q->who;
}

static void
nice_visit(struct process *p, void *arg)
{
    const struct cred *me = current_thread()->cred;
    struct task *t = list_first(&p->tasks, struct task, link);
    const struct cred *c = t != NULL ? t->thread->cred : NULL;
    struct nice_query *q = arg;

    if (c == NULL || !nice_concerns(q, p, c))
        return;
    if (q->result == -ESRCH)
        q->result = 0;
    if (!q->set)
        q->nice = MIN(q->nice, p->nice);
    else if (!cred_privileged(me) && me->euid != c->uid && me->euid != c->euid)
        q->result = -EPERM;
    else if (!cred_privileged(me) && q->nice < p->nice)
        q->result = -EACCES;
    else
        p->nice = q->nice;
}

static int64_t
nice_ask(struct nice_query *q)
{
    const struct process *me = current_process();

    if (q->kind > PRIO_USER)
        return -EINVAL;
    if (q->who == 0)
        q->who = q->kind == PRIO_PROCESS ? (uint32_t)me->pid
                 : q->kind == PRIO_PGRP  ? (uint32_t)me->pgrp
                                         : current_thread()->cred->uid;
    q->result = -ESRCH;
    spin_lock(&proc_lock);
    process_for_each_locked(nice_visit, q);
    spin_unlock(&proc_lock);
    return q->result;
}

/* A result below 0 would look like an error: 20 is the middle. */
int64_t
sys_getpriority(const uint64_t a[6])
{
    struct nice_query q = {.kind = (unsigned)a[0], .who = (uint32_t)a[1], .nice = 19};
    int64_t err = nice_ask(&q);

    return err != 0 ? err : 20 - q.nice;
}

int64_t
sys_setpriority(const uint64_t a[6])
{
    int nice = (int)a[2] < -20 ? -20 : (int)a[2] > 19 ? 19 : (int)a[2];
    struct nice_query q = {
        .kind = (unsigned)a[0], .who = (uint32_t)a[1], .set = true, .nice = nice};

    return nice_ask(&q);
}

int64_t
sys_sched_getparam(const uint64_t a[6])
{
    int32_t priority = 0;

    return copy_to_user(a[1], &priority, sizeof(priority));
}

int64_t
sys_sched_setscheduler(const uint64_t a[6])
{
    return a[1] == 0 ? 0 : -EPERM; /* SCHED_OTHER is all there is */
}

int64_t
sys_sched_getscheduler(const uint64_t a[6])
{
    (void)a;
    return 0;
}

int64_t
sys_sched_get_priority_max(const uint64_t a[6])
{
    return a[0] == 1 || a[0] == 2 ? 99 : a[0] <= 6 && a[0] != 4 ? 0 : -EINVAL;
}

int64_t
sys_sched_get_priority_min(const uint64_t a[6])
{
    return a[0] == 1 || a[0] == 2 ? 1 : a[0] <= 6 && a[0] != 4 ? 0 : -EINVAL;
}
