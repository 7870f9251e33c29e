/*
 * file_poll.c - waiting for many files: poll, ppoll, select, pselect6.
 *
 * Both forms are turned into one list of items, in chunks of at most a page.  Each item holds
 * its file, so that the queue it stands in lives as long as the wait.
 *
 * One round: enter every queue (first round only), ask every file, sleep if none is ready.  The
 * thread is "preparing to sleep" while it asks, so a wake-up that comes meanwhile makes the
 * sleep return at once.
 */
#include "kernel/sys/file.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/stat.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/lib/restart.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "mm/kmalloc.h"

struct item {
    int32_t fd;
    uint16_t events, revents;
    struct file *file; /* NULL: fd < 0, or not open */
};

struct chunk {
    struct chunk *next;
    unsigned count;
    struct item items[];
};

#define CHUNK_MAX ((PAGE_SIZE - sizeof(struct chunk)) / sizeof(struct item))

struct poll_set {
    struct chunk *first, *last;
    unsigned room; /* in the last chunk */
    unsigned left; /* items still to come, to size chunks by */
};

static void
set_free(struct poll_set *s)
{
    struct chunk *c;

    while ((c = s->first) != NULL) {
        s->first = c->next;
        for (unsigned n = 0; n < c->count; n++)
            file_put(c->items[n].file);
        kfree(c);
    }
}

/* Adds an item; NULL: no memory. */
static struct item *
set_add(struct poll_set *s, int fd, unsigned events)
{
    if (s->room == 0) {
        unsigned size = (unsigned)MIN(MAX(s->left, 1U), CHUNK_MAX);
        struct chunk *c = kmalloc(sizeof(*c) + size * sizeof(struct item));
        if (c == NULL)
            return NULL;
        c->next = NULL;
        c->count = 0;
        if (s->last != NULL)
            s->last->next = c;
        else
            s->first = c;
        s->last = c;
        s->room = size;
    }
    struct item *i = &s->last->items[s->last->count++];
    *i = (struct item){
        .fd = fd, .events = (uint16_t)events, .file = fd >= 0 ? fd_get(fd) : NULL};
    s->room--;
    s->left -= s->left > 0;
    return i;
}

/* Asks every file. Returns how many have something to say. */
static unsigned
set_scan(struct poll_set *s, struct poll_table *t)
{
    unsigned ready = 0;

    for (struct chunk *c = s->first; c != NULL; c = c->next) {
        for (unsigned n = 0; n < c->count; n++) {
            struct item *i = &c->items[n];
            unsigned r = 0;
            if (i->file != NULL)
                r = file_poll(i->file, ready > 0 ? NULL : t) &
                    (i->events | POLLERR | POLLHUP | POLLNVAL);
            else if (i->fd >= 0)
                r = POLLNVAL;
            i->revents = (uint16_t)r;
            ready += r != 0;
        }
    }
    return ready;
}

/* Waits until something is ready, @deadline (clock_now() time; 0: do not wait), or a signal. */
static int64_t
set_wait(struct poll_set *s, nsec_t deadline)
{
    struct poll_table table, *t = deadline != 0 ? &table : NULL;
    int err = deadline == 0 ? -ETIMEDOUT : 0;
    int64_t ready;

    poll_table_init(&table);
    for (;;) {
        sched_prepare_sleep();
        ready = set_scan(s, t);
        t = NULL; /* it stands in all queues now */
        if (ready > 0 || err != 0 || table.no_memory)
            break;
        err = sched_sleep(SLEEP_INTERRUPTIBLE, deadline);
    }
    sched_cancel_sleep();
    poll_leave(&table);
    if (ready > 0 || err == -ETIMEDOUT)
        return ready;
    return table.no_memory ? -ENOMEM : -ERESTARTNOHAND;
}

/* A duration as the deadline of set_wait. */
static nsec_t
deadline_in(uint64_t ns)
{
    nsec_t now = clock_now(), when;

    if (ns == 0)
        return 0;
    return __builtin_add_overflow(now, ns, &when) ? UINT64_MAX : when;
}

/* A timespec in user memory; 0 stands for ever. */
static int
deadline_from_timespec(vaddr_t uts, nsec_t *deadline)
{
    struct abi_timespec ts;
    uint64_t ns;

    *deadline = UINT64_MAX;
    if (uts == 0)
        return 0;
    if (copy_from_user(&ts, uts, sizeof(ts)) != 0)
        return -EFAULT;
    if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (int64_t)NSEC_PER_SEC)
        return -EINVAL;
    if (!__builtin_mul_overflow((uint64_t)ts.tv_sec, NSEC_PER_SEC, &ns) &&
        !__builtin_add_overflow(ns, (uint64_t)ts.tv_nsec, &ns))
        *deadline = deadline_in(ns);
    return 0;
}

/*
 * Linux tells how much time was left; @unit: nanoseconds per unit of the second word.  A bad
 * address is not worth losing the result for.
 */
static void
tell_time_left(vaddr_t uts, nsec_t deadline, uint64_t unit)
{
    nsec_t now = clock_now(), ns = deadline > now ? deadline - now : 0;
    int64_t v[2] = {(int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC / unit)};

    if (uts != 0)
        (void)!copy_to_user(uts, v, sizeof(v));
}

static int
pollfds_in(struct poll_set *s, vaddr_t ufds, unsigned nfds)
{
    s->left = nfds;
    for (unsigned n = 0; n < nfds; n++) {
        struct abi_pollfd p;
        if (copy_from_user(&p, ufds + n * sizeof(p), sizeof(p)) != 0)
            return -EFAULT;
        if (set_add(s, p.fd, (uint16_t)p.events) == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int
pollfds_out(const struct poll_set *s, vaddr_t ufds)
{
    vaddr_t at = ufds + offsetof(struct abi_pollfd, revents);

    for (const struct chunk *c = s->first; c != NULL; c = c->next) {
        for (unsigned n = 0; n < c->count; n++, at += sizeof(struct abi_pollfd)) {
            if (copy_to_user(at, &c->items[n].revents, sizeof(uint16_t)) != 0)
                return -EFAULT;
        }
    }
    return 0;
}

static int64_t
do_poll(vaddr_t ufds, unsigned nfds, nsec_t deadline)
{
    struct poll_set s = {0};

    if (nfds > READ_ONCE(current_thread()->files->limit))
        return -EINVAL;
    if (!range_ok(ufds, (size_t)nfds * sizeof(struct abi_pollfd)))
        return -EFAULT;
    int64_t r = pollfds_in(&s, ufds, nfds);
    if (r == 0)
        r = set_wait(&s, deadline);
    if (r >= 0) {
        int err = pollfds_out(&s, ufds);
        r = err != 0 ? err : r;
    }
    set_free(&s);
    return r;
}

/*
 * A wait with an end in time goes on after a signal without handler as a sleep does (sleep_for in
 * time.c); the others need no more than the time that is left, which they tell the program.
 */
int64_t
sys_poll(const uint64_t a[6])
{
    struct task *t = current_task();
    int ms = (int)a[2];
    nsec_t deadline = t->sleep_until != 0 ? t->sleep_until
                      : ms < 0            ? UINT64_MAX
                                          : deadline_in((uint64_t)ms * NSEC_PER_MSEC);

    t->sleep_until = 0;

    int64_t r = do_poll(a[0], (unsigned)a[1], deadline);

    if (r == -ERESTARTNOHAND)
        t->sleep_until = deadline;
    return r;
}

int64_t
sys_ppoll(const uint64_t a[6])
{
    nsec_t deadline;
    int err = deadline_from_timespec(a[2], &deadline);

    if (err == 0)
        err = signal_set_temp_mask(a[3], a[4]);
    if (err != 0)
        return err;
    int64_t r = do_poll(a[0], (unsigned)a[1], deadline);
    tell_time_left(a[2], deadline, 1);
    return r;
}

/* ---- select ---- */

#define SELECT_WORDS (FILES_MAX / 64)
#define SELECT_IN    (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define SELECT_OUT   (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define SELECT_EX    POLLPRI

static const unsigned select_events[3] = {SELECT_IN, SELECT_OUT, SELECT_EX};

/* The three sets: readable, writable, exceptional. */
struct fd_sets {
    uint64_t bits[3][SELECT_WORDS];
};

static size_t
set_bytes(unsigned nfds)
{
    return ROUND_UP(nfds, 64U) / 8;
}

static int
sets_in(struct fd_sets *sets, unsigned nfds, const vaddr_t usets[3])
{
    memset(sets, 0, sizeof(*sets));
    for (unsigned k = 0; k < 3; k++) {
        if (usets[k] != 0 && copy_from_user(sets->bits[k], usets[k], set_bytes(nfds)) != 0)
            return -EFAULT;
    }
    return 0;
}

/* An item for each descriptor that is in a set. */
static int
sets_to_items(const struct fd_sets *sets, unsigned nfds, struct poll_set *s)
{
    for (unsigned fd = 0; fd < nfds; fd++) {
        uint64_t bit = 1UL << (fd % 64);
        unsigned events = 0;
        for (unsigned k = 0; k < 3; k++)
            events |= (sets->bits[k][fd / 64] & bit) != 0 ? select_events[k] : 0;
        if (events == 0)
            continue;
        s->left = 8;
        struct item *i = set_add(s, (int)fd, events);
        if (i == NULL)
            return -ENOMEM;
        if (i->file == NULL)
            return -EBADF;
    }
    return 0;
}

/* The sets become what is ready. Returns the number of bits. */
static int64_t
items_to_sets(const struct poll_set *s, struct fd_sets *sets)
{
    int64_t count = 0;

    for (const struct chunk *c = s->first; c != NULL; c = c->next) {
        for (unsigned n = 0; n < c->count; n++) {
            unsigned fd = (unsigned)c->items[n].fd;
            uint64_t bit = 1UL << (fd % 64);
            for (unsigned k = 0; k < 3; k++) {
                if ((sets->bits[k][fd / 64] & bit) == 0)
                    continue;
                if ((c->items[n].revents & select_events[k]) != 0)
                    count++;
                else
                    sets->bits[k][fd / 64] &= ~bit;
            }
        }
    }
    return count;
}

static int64_t
select_sets(unsigned nfds, const vaddr_t usets[3], nsec_t deadline, struct fd_sets *sets)
{
    struct poll_set s = {0};
    int64_t r = sets_in(sets, nfds, usets);

    if (r == 0)
        r = sets_to_items(sets, nfds, &s);
    if (r == 0)
        r = set_wait(&s, deadline);
    if (r >= 0)
        r = items_to_sets(&s, sets);
    for (unsigned k = 0; k < 3 && r >= 0; k++) {
        if (usets[k] != 0 && copy_to_user(usets[k], sets->bits[k], set_bytes(nfds)) != 0)
            r = -EFAULT;
    }
    set_free(&s);
    return r;
}

static int64_t
do_select(int nfds, const vaddr_t usets[3], nsec_t deadline)
{
    if (nfds < 0)
        return -EINVAL;
    struct fd_sets *sets = kmalloc(sizeof(*sets));
    if (sets == NULL)
        return -ENOMEM;
    int64_t r = select_sets(MIN((unsigned)nfds, FILES_MAX), usets, deadline, sets);
    kfree(sets);
    return r;
}

int64_t
sys_select(const uint64_t a[6])
{
    const vaddr_t usets[3] = {a[1], a[2], a[3]};
    nsec_t deadline = UINT64_MAX;
    struct abi_timeval tv;

    if (a[4] != 0) {
        if (copy_from_user(&tv, a[4], sizeof(tv)) != 0)
            return -EFAULT;
        if (tv.tv_sec < 0 || tv.tv_usec < 0)
            return -EINVAL;
        uint64_t us = (uint64_t)tv.tv_usec, ns;
        if (!__builtin_mul_overflow((uint64_t)tv.tv_sec, NSEC_PER_SEC, &ns) &&
            us < UINT64_MAX / NSEC_PER_USEC &&
            !__builtin_add_overflow(ns, us * NSEC_PER_USEC, &ns))
            deadline = deadline_in(ns);
    }
    int64_t r = do_select((int)a[0], usets, deadline);
    tell_time_left(a[4], deadline, NSEC_PER_USEC);
    return r;
}

/* The sixth argument points to { const sigset_t *mask; size_t size }. */
int64_t
sys_pselect6(const uint64_t a[6])
{
    const vaddr_t usets[3] = {a[1], a[2], a[3]};
    uint64_t mask[2] = {0, 0};
    nsec_t deadline;

    if (a[5] != 0 && copy_from_user(mask, a[5], sizeof(mask)) != 0)
        return -EFAULT;
    int err = deadline_from_timespec(a[4], &deadline);
    if (err == 0)
        err = signal_set_temp_mask(mask[0], mask[1]);
    if (err != 0)
        return err;
    int64_t r = do_select((int)a[0], usets, deadline);
    tell_time_left(a[4], deadline, 1);
    return r;
}
