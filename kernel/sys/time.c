/*
 * time.c - clocks, sleeping, alarms.
 */
#include "kernel/sys/table.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/time.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/restart.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/process.h"

/* Reads a clock. Returns 0 or -EINVAL. */
static int
read_clock(int id, nsec_t *now)
{
    nsec_t user, system;

    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *now = clock_realtime();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *now = clock_now();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        spin_lock(&proc_lock);
        process_times_locked(current_process(), &user, &system);
        spin_unlock(&proc_lock);
        *now = user + system;
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        thread_times(current_thread(), &user, &system);
        *now = user + system;
        return 0;
    default:
        return -EINVAL;
    }
}

int64_t
sys_clock_gettime(const uint64_t a[6])
{
    nsec_t now;
    int err = read_clock((int)a[0], &now);
    struct timespec t;

    if (err != 0)
        return err;
    t = nsec_to_timespec(now);
    return copy_to_user(a[1], &t, sizeof(t));
}

int64_t
sys_clock_getres(const uint64_t a[6])
{
    struct timespec t = {0, 1};
    nsec_t now;
    int err = read_clock((int)a[0], &now);

    if (err != 0 || a[1] == 0)
        return err;
    return copy_to_user(a[1], &t, sizeof(t));
}

int64_t
sys_gettimeofday(const uint64_t a[6])
{
    struct timeval t = nsec_to_timeval(clock_realtime());
    int32_t zone[2] = {0, 0};

    if (a[0] != 0 && copy_to_user(a[0], &t, sizeof(t)) != 0)
        return -EFAULT;
    return a[1] != 0 ? copy_to_user(a[1], zone, sizeof(zone)) : 0;
}

int64_t
sys_time(const uint64_t a[6])
{
    int64_t now = (int64_t)(clock_realtime() / NSEC_PER_SEC);

    if (a[0] != 0 && copy_to_user(a[0], &now, sizeof(now)) != 0)
        return -EFAULT;
    return now;
}

/* SIMPLE: the clock is the machine's; it cannot be set. */
int64_t
sys_clock_settime(const uint64_t a[6])
{
    (void)a;
    return -EPERM;
}

int64_t
sys_settimeofday(const uint64_t a[6])
{
    (void)a;
    return -EPERM;
}

/* ---- sleeping ---- */

/* Sleeps until clock_now() == @deadline; -EINTR when a signal came. */
static int
sleep_until(nsec_t deadline)
{
    int err;

    do {
        sched_prepare_sleep();
        err = sched_sleep(SLEEP_INTERRUPTIBLE, deadline);
    } while (err == 0);
    sched_cancel_sleep();
    return err == -ETIMEDOUT ? 0 : err;
}

/*
 * A relative sleep. If a signal without handler (stop and continue) interrupts it, it is run
 * again and must not begin anew: its deadline is kept in the task.
 */
static int64_t
sleep_for(nsec_t duration, vaddr_t remain)
{
    struct task *t = current_task();
    nsec_t now = clock_now();
    nsec_t deadline = t->sleep_until != 0               ? t->sleep_until
                      : duration > UINT64_MAX - 1 - now ? UINT64_MAX - 1
                                                        : now + duration;

    t->sleep_until = 0;
    if (sleep_until(deadline) == 0)
        return 0;
    now = clock_now();
    if (now >= deadline)
        return 0;
    if (remain != 0) {
        struct timespec left = nsec_to_timespec(deadline - now);

        if (copy_to_user(remain, &left, sizeof(left)) != 0)
            return -EFAULT;
    }
    t->sleep_until = deadline;
    return -ERESTARTNOHAND;
}

int64_t
sys_nanosleep(const uint64_t a[6])
{
    struct timespec t;

    if (copy_from_user(&t, a[0], sizeof(t)) != 0)
        return -EFAULT;
    if (!timespec_valid(&t))
        return -EINVAL;
    return sleep_for(timespec_to_nsec(&t), a[1]);
}

int64_t
sys_clock_nanosleep(const uint64_t a[6])
{
    int id = (int)a[0], flags = (int)a[1];
    struct timespec t;
    nsec_t now, when;

    if (id == CLOCK_THREAD_CPUTIME_ID || read_clock(id, &now) != 0)
        return -EINVAL;
    if (copy_from_user(&t, a[2], sizeof(t)) != 0)
        return -EFAULT;
    if (!timespec_valid(&t))
        return -EINVAL;
    when = timespec_to_nsec(&t);
    if (!(flags & TIMER_ABSTIME))
        return sleep_for(when, a[3]);
    if (when <= now)
        return 0;
    when =
        when - now > UINT64_MAX - 1 - clock_now() ? UINT64_MAX - 1 : clock_now() + (when - now);
    return sleep_until(when) == 0 ? 0 : -ERESTARTNOHAND;
}

/* ---- alarms ---- */

int64_t
sys_alarm(const uint64_t a[6])
{
    struct itimer_value new = {(uint32_t)a[0] * NSEC_PER_SEC, 0}, old;

    itimer_set(ITIMER_REAL, &new, &old);
    return (int64_t)((old.left + NSEC_PER_SEC / 2) / NSEC_PER_SEC +
                     (old.left > 0 && old.left < NSEC_PER_SEC / 2));
}

static int64_t
put_itimer(vaddr_t to, const struct itimer_value *v)
{
    struct itimerval it = {nsec_to_timeval(v->interval), nsec_to_timeval(v->left)};

    return copy_to_user(to, &it, sizeof(it));
}

int64_t
sys_getitimer(const uint64_t a[6])
{
    struct itimer_value v;

    if (a[0] > ITIMER_PROF)
        return -EINVAL;
    v = itimer_get((unsigned)a[0]);
    return put_itimer(a[1], &v);
}

static bool
timeval_valid(const struct timeval *t)
{
    return t->sec >= 0 && t->sec < (int64_t)(UINT64_MAX / 4 / NSEC_PER_SEC) && t->usec >= 0 &&
           t->usec < 1000000;
}

static nsec_t
timeval_to_nsec(const struct timeval *t)
{
    return (nsec_t)t->sec * NSEC_PER_SEC + (nsec_t)t->usec * NSEC_PER_USEC;
}

int64_t
sys_setitimer(const uint64_t a[6])
{
    struct itimerval it = {{0, 0}, {0, 0}};
    struct itimer_value new, old;

    if (a[0] > ITIMER_PROF)
        return -EINVAL;
    if (a[1] != 0 && copy_from_user(&it, a[1], sizeof(it)) != 0)
        return -EFAULT;
    if (!timeval_valid(&it.value) || !timeval_valid(&it.interval))
        return -EINVAL;
    new = (struct itimer_value){timeval_to_nsec(&it.value), timeval_to_nsec(&it.interval)};
    itimer_set((unsigned)a[0], &new, &old);
    return a[2] != 0 ? put_itimer(a[2], &old) : 0;
}

/* ---- futex ---- */

#define FUTEX_WAIT        0
#define FUTEX_WAKE        1
#define FUTEX_REQUEUE     3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_COMMAND     0x7f
#define FUTEX_REALTIME    0x100

/* The deadline of a futex wait; WAIT is relative, WAIT_BITSET absolute. */
static int
futex_deadline(uint64_t utime, unsigned op, nsec_t *deadline)
{
    struct timespec t;
    nsec_t when, now = op & FUTEX_REALTIME ? clock_realtime() : clock_now();

    *deadline = UINT64_MAX;
    if (utime == 0)
        return 0;
    if (copy_from_user(&t, utime, sizeof(t)) != 0)
        return -EFAULT;
    if (!timespec_valid(&t))
        return -EINVAL;
    when = timespec_to_nsec(&t);
    if ((op & FUTEX_COMMAND) == FUTEX_WAIT_BITSET)
        when = when > now ? when - now : 0;
    *deadline = when > UINT64_MAX - 1 - clock_now() ? UINT64_MAX - 1 : clock_now() + when;
    return 0;
}

/* A wait with an end in time goes on after a signal without handler as a sleep does (sleep_for). */
static int64_t
wait_on_futex(vaddr_t word, unsigned op, uint32_t value, vaddr_t utime, uint32_t bits)
{
    struct task *t = current_task();
    nsec_t deadline;
    int err = futex_deadline(utime, op, &deadline);

    if (err != 0)
        return err;
    if (t->sleep_until != 0)
        deadline = t->sleep_until;
    t->sleep_until = 0;
    err = futex_wait(word, value, bits, deadline);
    if (err != -ERESTARTSYS || deadline == UINT64_MAX)
        return err;
    t->sleep_until = deadline;
    return -ERESTARTNOHAND;
}

int64_t
sys_futex(const uint64_t a[6])
{
    unsigned op = (unsigned)a[1];
    uint32_t value = (uint32_t)a[2], value3 = (uint32_t)a[5];

    if ((op & FUTEX_REALTIME) && (op & FUTEX_COMMAND) != FUTEX_WAIT_BITSET)
        return -ENOSYS; /* no other has a date; as on Linux, since 5.14 */
    switch (op & FUTEX_COMMAND) {
    case FUTEX_WAIT:
        return wait_on_futex(a[0], op, value, a[3], FUTEX_ANY);
    case FUTEX_WAIT_BITSET:
        return wait_on_futex(a[0], op, value, a[3], value3);
    case FUTEX_WAKE:
        return futex_wake(a[0], (int)value, FUTEX_ANY);
    case FUTEX_WAKE_BITSET:
        return futex_wake(a[0], (int)value, value3);
    case FUTEX_REQUEUE:
        return futex_requeue(a[0], a[4], (int)value, (int)a[3], NULL);
    case FUTEX_CMP_REQUEUE:
        return futex_requeue(a[0], a[4], (int)value, (int)a[3], &value3);
    default:
        return -ENOSYS;
    }
}
