/*
 * itimer.c - interval timers and the limit of processor time. Contract: setitimer(2).
 *
 * Each is a timeout.  A process cannot use more processor time than passes, so a timer of
 * processor time is looked at when all that is left may have been used, and put off by what
 * turns out to be left still.
 *
 * Locks: proc_lock, which the callbacks take in the timer interrupt.
 */
#include "kernel/proc/itimer.h"

#include "kernel/abi/sched.h"
#include "kernel/abi/time.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/lib/assert.h"
#include "kernel/proc/process.h"

#define REAL_LEAST (100 * NSEC_PER_USEC) /* between two rings */
#define CPU_LEAST  NSEC_PER_MSEC         /* between two looks at the time used */

/* The clock that @it goes by. proc_lock held. */
static nsec_t
read_clock(struct process *p, const struct itimer *it)
{
    nsec_t user, system;

    if (it->which == ITIMER_REAL)
        return clock_now();
    process_times_locked(p, &user, &system);
    return it->which == ITIMER_VIRTUAL ? user : user + system;
}

/* Has it looked at again when it may be due.  Not in a process that has no thread any more. */
static void
arm(const struct process *p, struct itimer *it, nsec_t now)
{
    nsec_t left = it->when > now ? it->when - now : 0;

    if (it->which != ITIMER_REAL)
        left = MAX(left, CPU_LEAST);
    if (it->when != 0 && p->ntasks > 0)
        timeout_set(&it->timeout, clock_now() + left);
}

/* The soft limit is told once a second, the hard one once for all. */
static void
ring_limit(struct process *p, struct itimer *it, nsec_t now)
{
    uint64_t hard = p->rlimits[RLIMIT_CPU].hard;

    it->when = now + NSEC_PER_SEC;
    (void)signal_send_locked(p, now / NSEC_PER_SEC >= hard ? SIGKILL : SIGXCPU, NULL);
}

static void
ring(struct process *p, struct itimer *it, nsec_t now)
{
    static const int signals[] = {SIGALRM, SIGVTALRM, SIGPROF};
    struct siginfo info = {.signo = signals[it->which], .code = SI_KERNEL};

    /* Rings that were missed, or would come faster than they can be dealt with, are one. */
    it->when = it->interval != 0 ? MAX(it->when + it->interval, now + REAL_LEAST) : 0;
    (void)signal_send_locked(p, info.signo, &info);
}

static void
look(struct timeout *timeout)
{
    struct itimer *it = container_of(timeout, struct itimer, timeout);
    struct process *p = container_of(it - it->which, struct process, timers[0]);

    spin_lock(&proc_lock);
    if (p->state == PROCESS_RUNNING && it->when != 0) {
        nsec_t now = read_clock(p, it);

        if (now >= it->when)
            (it->which == ITIMER_CPU_LIMIT ? ring_limit : ring)(p, it, now);
        arm(p, it, now);
    }
    spin_unlock(&proc_lock);
}

void
itimer_init(struct process *p)
{
    for (unsigned k = 0; k < ITIMER_COUNT; k++) {
        p->timers[k].which = k;
        timeout_init(&p->timers[k].timeout, look);
    }
}

static struct itimer_value
value_locked(const struct itimer *it, nsec_t now)
{
    nsec_t left = it->when > now ? it->when - now : NSEC_PER_USEC;

    return (struct itimer_value){it->when != 0 ? left : 0, it->interval};
}

struct itimer_value
itimer_get(unsigned which)
{
    struct process *p = current_process();
    struct itimer *it = &p->timers[which];

    spin_lock(&proc_lock);
    struct itimer_value v = value_locked(it, read_clock(p, it));
    spin_unlock(&proc_lock);
    return v;
}

void
itimer_set(unsigned which, const struct itimer_value *new, struct itimer_value *old)
{
    struct process *p = current_process();
    struct itimer *it = &p->timers[which];

    ASSERT(which < ITIMER_CPU_LIMIT);
    timeout_cancel(&it->timeout);
    spin_lock(&proc_lock);
    nsec_t now = read_clock(p, it);

    if (old != NULL)
        *old = value_locked(it, now);
    it->when = new->left == 0 ? 0 : now + MIN(new->left, UINT64_MAX / 4);
    it->interval = MIN(new->interval, UINT64_MAX / 4);
    arm(p, it, now);
    spin_unlock(&proc_lock);
}

void
itimer_limit_locked(struct process *p)
{
    struct itimer *it = &p->timers[ITIMER_CPU_LIMIT];
    uint64_t soft = p->rlimits[RLIMIT_CPU].soft;

    ASSERT(spin_held(&proc_lock));
    it->when = soft < UINT64_MAX / 4 / NSEC_PER_SEC ? MAX(soft, 1UL) * NSEC_PER_SEC : 0;
    arm(p, it, read_clock(p, it));
}

void
itimer_cancel_all(struct process *p)
{
    ASSERT(READ_ONCE(p->ntasks) == 0); /* or another CPU could arm one behind us */
    for (unsigned k = 0; k < ITIMER_COUNT; k++)
        timeout_cancel(&p->timers[k].timeout);
}
