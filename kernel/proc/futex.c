/*
 * futex.c - sleeping on a word of user memory.
 *
 * The word is compared under futex_lock's protection against a wake-up that comes in between:
 * the sleeper stands in the table first, looks at the word second, and sleeps third.
 *
 * A word in shared memory is known by its object and offset, so processes that map it at
 * different addresses meet; any other by its space and address.
 *
 * Locks: futex_lock (spin) for the table.
 */
#include "kernel/proc/futex.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/list.h"
#include "kernel/lib/restart.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"
#include "mm/space.h"

#define BUCKETS 64

struct sleeper {
    struct list link;     /* in its bucket; in no list: woken */
    struct word_key key;  /* where it sleeps now */
    struct word_key held; /* where it began to: what it holds a reference to */
    uint32_t bits;
    struct thread *thread;
};

static struct spinlock futex_lock = SPINLOCK_INIT("futex");
static struct list buckets[BUCKETS];

static struct list *
bucket(struct word_key k)
{
    struct list *b = &buckets[((vaddr_t)k.owner / 64 + k.offset / 4) % BUCKETS];

    if (b->next == NULL)
        list_init(b);
    return b;
}

static bool
same_word(struct word_key a, struct word_key b)
{
    return a.owner == b.owner && a.offset == b.offset;
}

static bool
woken(const struct sleeper *w)
{
    return list_empty(&w->link);
}

static int
judge_address(vaddr_t addr)
{
    if (addr % sizeof(uint32_t) != 0)
        return -EINVAL;
    return range_ok(addr, sizeof(uint32_t)) ? 0 : -EFAULT;
}

int
futex_wait(vaddr_t addr, uint32_t value, uint32_t bits, nsec_t deadline)
{
    struct thread *me = current_thread();
    struct sleeper w = {.bits = bits, .thread = me};
    uint32_t now;
    int err = judge_address(addr);

    if (err != 0 || bits == 0)
        return err != 0 ? err : -EINVAL;
    w.key = w.held = space_word_key(me->space, addr);
    spin_lock(&futex_lock);
    list_push_back(bucket(w.key), &w.link);
    spin_unlock(&futex_lock);

    err = copy_from_user(&now, addr, sizeof(now));
    if (err == 0 && now != value)
        err = -EAGAIN;
    while (err == 0) {
        sched_prepare_sleep();
        if (woken(&w))
            break;
        err = sched_sleep(SLEEP_INTERRUPTIBLE, deadline);
    }
    sched_cancel_sleep();

    spin_lock(&futex_lock);
    if (woken(&w))
        err = 0; /* a wake-up that was counted must not be lost */
    list_del(&w.link);
    spin_unlock(&futex_lock);
    space_word_key_put(w.held);
    return err == -EINTR ? -ERESTARTSYS : err;
}

/* Takes up to @n sleepers off the bucket and wakes them. futex_lock held. */
static int
wake_locked(struct word_key key, int n, uint32_t bits)
{
    struct sleeper *w, *next;
    int done = 0;

    list_for_each_safe(w, next, bucket(key), link)
    {
        if (done >= n)
            break;
        if (!same_word(w->key, key) || !(w->bits & bits))
            continue;

        struct thread *t = w->thread; /* @w is on its stack, and gone once it runs */

        list_del(&w->link);
        thread_wake(t);
        done++;
    }
    return done;
}

int
futex_wake(vaddr_t addr, int n, uint32_t bits)
{
    int err = judge_address(addr);

    if (err != 0 || bits == 0)
        return err != 0 ? err : -EINVAL;

    struct word_key key = space_word_key(current_thread()->space, addr);

    spin_lock(&futex_lock);
    int done = wake_locked(key, n, bits);
    spin_unlock(&futex_lock);
    space_word_key_put(key);
    return done;
}

/* Moves up to @n sleepers from one word to another: how many. futex_lock held. */
static int
move_locked(struct word_key from, struct word_key to, int n)
{
    struct sleeper *w, *next;
    int done = 0;

    if (same_word(from, to))
        return 0;
    list_for_each_safe(w, next, bucket(from), link)
    {
        if (done >= n)
            break;
        if (!same_word(w->key, from))
            continue;
        list_del(&w->link);
        w->key = to;
        list_push_back(bucket(to), &w->link);
        done++;
    }
    return done;
}

/*
 * futex_lock, taken when the word at @addr was looked at and holds *@expect (NULL: whatever): so
 * nobody has gone to sleep there because of another value.  Or an error, and no lock.
 */
static int
lock_with_value(vaddr_t addr, const uint32_t *expect)
{
    uint32_t now;

    for (;;) {
        if (expect != NULL && copy_from_user(&now, addr, sizeof(now)) != 0)
            return -EFAULT;
        spin_lock(&futex_lock);
        if (expect == NULL || (peek_user(&now, addr) == 0 && now == *expect))
            return 0;
        spin_unlock(&futex_lock);
        if (now != *expect)
            return -EAGAIN;
    }
}

int
futex_requeue(vaddr_t addr, vaddr_t to, int wake, int move, const uint32_t *expect)
{
    struct word_key from, dest;
    int done = judge_address(addr);

    if (done == 0)
        done = judge_address(to);
    if (done == 0 && (wake < 0 || move < 0))
        done = -EINVAL;
    if (done != 0)
        return done;

    from = space_word_key(current_thread()->space, addr);
    dest = space_word_key(current_thread()->space, to);
    done = lock_with_value(addr, expect);
    if (done == 0) {
        done = wake_locked(from, wake, FUTEX_ANY);
        done += move_locked(from, dest, move);
        spin_unlock(&futex_lock);
    }
    space_word_key_put(from);
    space_word_key_put(dest);
    return done;
}
