/*
 * signal.h - signals: sent, pending, delivered.
 *
 *   - A signal is sent to a process or to one thread (task); it becomes pending, and is
 *     delivered when the thread is on its way back to user mode.
 *   - A signal below SIGRTMIN is pending once, with the first sender's siginfo;
 *     those from SIGRTMIN on queue.
 *
 * Locks: P = proc_lock.
 */
#pragma once

#include "kernel/abi/signal.h"
#include "kernel/lib/list.h"

struct process;
struct task;
struct trapframe;

#define SIGPENDING_MAX 1024 /* signals that can be queued at a process and its threads */

#define UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))

struct sigpending {
    sigset_t set;
    unsigned length;   /* of the queue */
    struct list queue; /* of struct sigqueued, oldest first */
};

/* What a signal's default action is. */
enum signal_default {
    SIGNAL_TERMINATE,
    SIGNAL_CORE,
    SIGNAL_IGNORE,
    SIGNAL_STOP,
    SIGNAL_CONTINUE
};
enum signal_default signal_default_action(int sig);

/*
 * signal_send - send to a process: any thread of it may take it.
 * @info: NULL: from the kernel.  Any context but interrupts.
 * Locks: signal_send takes P; signal_send_locked wants it held.
 * Returns: 0, or -EAGAIN: a real-time signal of sigqueue or tkill, and the queue is full.
 */
void signal_send(struct process *p, int sig, const struct siginfo *info);
int signal_send_locked(struct process *p, int sig, const struct siginfo *info);
int signal_send_task_locked(struct task *t, int sig, const struct siginfo *info);

/*
 * signal_force - a fault of the current thread: cannot be blocked or
 * ignored (then the process ends).
 */
void signal_force(int sig, const struct siginfo *info);

/*
 * signal_deliver - called on the way to user mode while thread->interrupted: takes pending signals,
 * runs default actions, builds handler frames, restarts system calls.  May not return (death).
 */
void signal_deliver(struct trapframe *tf);

/* True if @t has something to do on its way to user mode: a signal, to rest, to end. P held. */
bool signal_due_locked(const struct task *t);

/* Recomputes thread->interrupted. P held. */
void signal_update_locked(struct task *t);

/* Tells every thread that can take one of the signals sent to @p. P held. */
void signal_retarget_locked(struct process *p);

/* A thread has come to rest, or ends: if now all rest, the parent is told. P held. */
void signal_stop_progress_locked(struct process *p);

/* Sets the current thread's mask. */
void signal_set_mask(sigset_t mask);

/*
 * signal_set_temp_mask - for ppoll, pselect6, rt_sigsuspend: the mask
 * until this system call returns.
 * @umask: user address of a sigset_t; 0: nothing to do.  @size: must be 8.
 * Returns: 0, -EINVAL, -EFAULT.
 */
int signal_set_temp_mask(vaddr_t umask, size_t size) MUST_CHECK;
void signal_set_temp_mask_value(sigset_t mask);

/* Ignored, by disposition or by default. P held. */
bool signal_ignored_locked(struct process *p, int sig);

/* The signal has come to be ignored: what is pending of it goes. P held. */
void signal_discard_locked(struct process *p, int sig);

/* exec: handlers back to default. exit: forget what is pending. */
void signal_reset_handlers(struct process *p);
void signal_flush(struct sigpending *q);
void sigpending_init(struct sigpending *q);

/* Takes one pending signal of @set (rt_sigtimedwait): its number with *info, or 0. */
int signal_take(sigset_t set, struct siginfo *info);

/* sigframe.c. 0, or -EFAULT: the stack cannot take it, or the frame is bad. */
int sigframe_build(struct trapframe *tf, const struct sigaction *sa, const struct siginfo *info,
                   sigset_t mask);
int sigframe_restore(struct trapframe *tf);
