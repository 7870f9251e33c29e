/*
 * process.h - processes: a program in execution, with its memory, files, signals and relatives.
 *
 *   struct process   what all threads of a program share, and what wait() sees
 *   struct task      what is one thread's own: its id, signal mask, alternate stack
 *
 * A process is RUNNING until its last thread has exited, then ZOMBIE until it is
 * waited for.  The table of processes holds one reference, each task one, and whoever
 * looks at it from outside one.
 *
 * Locks: P = proc_lock (spin): the tree, groups, states, signals.  C = constant.  O = own
 *        threads only.  A = atomic.
 */
#pragma once

#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/list.h"
#include "kernel/proc/itimer.h"
#include "kernel/proc/signal.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"

struct file;
struct tty;

#define PID_MAX      32768
#define RLIMIT_COUNT 16

struct rlimit {
    uint64_t soft, hard;
};

enum process_state { PROCESS_RUNNING, PROCESS_ZOMBIE };

struct process {
    uint32_t refs;                 /* A */
    pid_t pid;                     /* C */
    pid_t pgrp, session;           /* P */
    struct process *parent;        /* P: NULL for init only */
    struct list children, sibling; /* P */
    struct list all_link;          /* P: in the table, by age */
    struct list tasks;             /* P */
    unsigned ntasks;               /* P */
    unsigned nalive;               /* P: of them, those that have not begun to exit */

    enum process_state state;          /* P */
    int exit_status;                   /* P: as wait() tells it, when ZOMBIE */
    char dead_name[THREAD_NAME_MAX];   /* P: the name and owner that it had, when ZOMBIE */
    uid_t dead_uid;                    /* P */
    bool exiting;                      /* P: exit_group or a deadly signal: all threads end */
    int group_exit_status;             /* P: valid when exiting */
    struct task *survivor;             /* P: all others end: it executes another program */
    struct task *dumper;               /* P: all others wait, until it has written their core */
    unsigned nparked;                  /* P: how many do so */
    struct waitq gathered;             /* the survivor, or the dumper, waits for the others */
    bool stopped, stopping;            /* P: by a job-control signal; some do not rest yet */
    unsigned nstopped;                 /* P: threads that have come to rest because of it */
    int stop_signal;                   /* P */
    bool report_stop, report_continue; /* P: wait() has not told yet */
    bool no_zombie;                    /* P: the parent does not care: reaped at once */
    struct waitq wait;                 /* parents in wait(): a child changed */
    struct waitq continued;            /* stopped and parked threads sleep here */

    struct sigaction *actions; /* P: NSIG of them; the pointer is constant */
    struct sigpending pending; /* P */

    struct file *exe;                    /* P to change: the program */
    bool did_exec;                       /* P: setpgid by the parent is over */
    struct rlimit rlimits[RLIMIT_COUNT]; /* P */
    uint64_t personality;                /* O */
    struct tty *tty;                     /* P: the session's controlling terminal */
    int exit_signal;                     /* P: what the parent gets, SIGCHLD as a rule */
    bool vfork_wait;                     /* P: the parent sleeps until exec or exit */
    bool strace;                         /* A: print its system calls */
    bool wants_barriers;                 /* A: membarrier's private ones are allowed */
    nsec_t start_time;                   /* C */
    nsec_t dead_user, dead_system;       /* P: of threads that ended */
    nsec_t child_user, child_system;     /* P: of children waited for */
    uint64_t dead_minor, dead_major, child_minor, child_major; /* P */
    uint64_t dead_peak; /* P: resident pages at most, after the space is gone */
    struct itimer timers[ITIMER_COUNT];
    int death_signal; /* P: PR_SET_PDEATHSIG: comes when the parent ends */
    bool subreaper;   /* P: its orphaned descendants become its children */
    int nice;         /* P */
};

struct task {
    struct thread *thread;     /* C */
    struct process *process;   /* C, holds a reference */
    pid_t tid;                 /* C */
    struct list link;          /* P: in process->tasks */
    sigset_t blocked;          /* P to change */
    sigset_t awaited;          /* P: rt_sigtimedwait wants these, ignored or not */
    sigset_t saved_mask;       /* O: to be restored when restore_mask */
    bool restore_mask;         /* O: a temporary mask is in force */
    bool ending;               /* P: has begun to exit: takes no signals */
    struct sigpending pending; /* P */
    struct sigstack altstack;  /* O */
    vaddr_t clear_child_tid;   /* O: zeroed at exit (set_tid_address, CLONE_CHILD_CLEARTID) */
    bool set_child_tid;        /* O: a new child writes its id there first, */
    bool keep_clear_tid;       /* O: and keeps the address only for CLONE_CHILD_CLEARTID */
    nsec_t sleep_until;  /* O: deadline of an interrupted sleep that is restarted, 0: none */
    vaddr_t robust_list; /* O */
};

extern struct spinlock proc_lock;
extern struct process *init_process;

static inline struct task *
current_task(void)
{
    return current_thread()->task;
}

/* The process that runs; NULL in a kernel thread. */
static inline struct process *
current_process(void)
{
    struct task *t = current_thread()->task;

    return t != NULL ? t->process : NULL;
}

void process_get(struct process *p);
void process_put(struct process *p);

/*
 * process_find - the process with @pid, zombies included, with a reference; NULL: none.
 * process_find_locked - the same without reference, P held.
 */
struct process *process_find(pid_t pid);
struct process *process_find_locked(pid_t pid);

/* The task with id @tid, or NULL. P held. */
struct task *task_find_locked(pid_t tid);

/*
 * The first process (with a reference) whose pid is at least @pid, in order of
 * pids; NULL: none. For /proc.
 */
struct process *process_next(pid_t pid);

/* True if a process other than @p runs in its memory too (vfork, CLONE_VM). P held. */
bool process_shares_space_locked(struct process *p);

/* R, S, D, T or Z: the state of @p by its thread @t (NULL: none is left), as in ps(1). P held. */
char process_letter_locked(const struct process *p, const struct task *t);

/* Calls @fn for each process. P held. */
void process_for_each_locked(void (*fn)(struct process *p, void *arg), void *arg);

/* How many there are, zombies included. */
unsigned process_count(void);

/* The space of @p with a reference, or NULL once it is gone. */
struct space *process_space(struct process *p);

/* Accounts of all threads, dead and alive. P held. */
void process_times_locked(struct process *p, nsec_t *user, nsec_t *system);

/*
 * The space and the descriptors of any thread that still has them, or NULL. P held, and for the
 * descriptors that must do: with a reference of ours an exec would believe that others use them.
 */
struct space *process_space_locked(struct process *p);
struct files *process_files_locked(struct process *p);

/*
 * task_create - a thread more for @p, not yet seen by anybody.
 * Returns: it, with a reference to @p; or NULL: no memory.
 * task_attach_locked - gives it an id and makes it one of @p's threads, which is to be started.
 * Returns: 0; -EAGAIN: no id is left, -ERESTARTNOINTR: @p is ending. P held.
 * task_detach_locked - takes it out again. P held.
 * task_discard - frees one that was never started, with all that hangs on its thread.
 */
struct task *task_create(struct process *p, void (*entry)(void *), void *arg) MUST_CHECK;
int task_attach_locked(struct task *t) MUST_CHECK;
void task_detach_locked(struct task *t);
void task_discard(struct task *t);

/*
 * process_create - a process with one task, which has not been started and is nobody's child yet.
 * It is a member of its group, and takes its signals.
 * @parent: the caller's, copied from; NULL for init.
 * @entry: what its thread will call.
 * @out: receives the task.
 * Returns: 0; -ENOMEM; -EAGAIN: there are too many; -ERESTARTNOINTR: the caller has a signal to
 *          deal with first.
 * process_enter_family - makes it a child of @parent (NULL: init). P held.
 */
int process_create(struct process *parent, void (*entry)(void *), struct task **out) MUST_CHECK;
void process_enter_family(struct process *p, struct process *parent);
/* Out of the table: the caller puts its reference. P held. */
void process_leave_table_locked(struct process *p);
/* The same as task_discard, with its process. */
void process_discard(struct process *p, struct task *t);

/* What clone asks for; flags as in abi/sched.h. */
struct clone_args {
    uint64_t flags;
    int exit_signal;
    vaddr_t stack; /* 0: the parent's */
    vaddr_t parent_tid, child_tid, tls;
};

/* fork.c: returns the child's pid, or -EAGAIN, -ENOMEM, -EINVAL. */
int64_t process_clone(const struct clone_args *a, const struct trapframe *tf);

/*
 * exec.c: replaces the program. @upath, @argv, @envp: user addresses. Returns 0 with *tf new,
 * or an error with all as before.
 */
int process_exec(int dirfd, vaddr_t upath, vaddr_t argv, vaddr_t envp, unsigned flags,
                 struct trapframe *tf);
/* The first program, from kernel memory. */
int process_exec_kernel(const char *path, const char *const *argv, const char *const *envp,
                        struct trapframe *tf);

/* exit.c. @status: as wait() tells it. */
void task_exit(int status) NORETURN; /* this thread */
/* threads.c: all of a process's. */
void process_exit(int status) NORETURN; /* the whole process */
/* The whole process by signal @info->signo, with a core if one is wanted. */
void process_exit_with_core(const struct siginfo *info) NORETURN;
/* exec: all other threads are gone, and this one is the first. 0, or -EAGAIN: they all end. */
int process_end_other_threads(void) MUST_CHECK;
/* True if @t never sees user mode again. P held. */
bool task_ends_locked(const struct task *t);
/* What a thread does on its way out: waits for a core's writer; tells those who wait for words. */
void task_park_for_core(void);
void task_release_words(struct task *t);
/* @s stops being @p's: what faults it counted stay with the process. P held. */
void process_keep_faults_locked(struct process *p, const struct space *s);
/* The parent's wait for a vforked child ends. P held. */
void process_release_vfork_locked(struct process *p);

#define WAIT_EXITED(code) (((code)&0xff) << 8)
#define WAIT_DUMPED       0x80 /* with a signal's number */

struct rusage_times {
    nsec_t user, system;
    uint64_t minor, major;
};

/*
 * process_wait - wait4 and waitid.
 * @whom: any child, the one with this number, or those of this group (0: the caller's).
 * @options: WNOHANG, WUNTRACED (WSTOPPED), WCONTINUED, WEXITED, WNOWAIT.
 * @info, @usage: receive what is known of the child; @status: as wait4 tells.
 * Returns: the child's pid; 0 with WNOHANG and none; -ECHILD, -ERESTARTSYS.
 */
struct wait_result {
    int status;
    uid_t uid;
    struct rusage_times usage;
};
struct wait_whom {
    int kind; /* P_ALL, P_PID, P_PGID */
    pid_t id;
};
int64_t process_wait(struct wait_whom whom, unsigned options, struct wait_result *r);

/*
 * process_kill_largest - for reclaim_set_hooks: ends the process that has the most memory; if none
 * has a 32nd of it, the largest of those that together have the most, or with @spare_small none.
 * @patient: nobody, as long as one is on its way out.
 */
int process_kill_largest(bool spare_small, bool patient);

/* Groups and sessions (jobs.c). */
int process_setpgid(pid_t pid, pid_t pgrp);
pid_t process_setsid(void);
bool process_group_orphaned_locked(pid_t pgrp);
/* Sends to every member; returns how many there are, or -EPERM when none may be signalled. */
int process_signal_group(pid_t pgrp, int sig, const struct siginfo *info, bool check);
int process_kill(pid_t pid, int sig, const struct siginfo *info);
bool process_may_signal(struct process *target, int sig);
/* May the caller look into @target's memory and set its limits: root, or the same owner? P held. */
bool process_may_control_locked(struct process *target);
/*
 * May a caller to whom a process is open look into @s, its space: it keeps no secrets, or is the
 * caller's own.  A process that executes a set-user-ID program has the new space some time before
 * it has the new rights, and its other threads are still alive then.
 */
bool process_may_look_into(const struct space *s);
/* No process of @session has a controlling terminal any more. */
void process_forget_tty(pid_t session);
void jobs_init(void);

/* Boot: makes /sbin/init; never returns to the caller's thread but starts it. */
void process_start_init(void);
void usertrap_init(void);
