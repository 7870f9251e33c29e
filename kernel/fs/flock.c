/*
 * flock.c - advisory locks: flock() on open files, record locks of fcntl() on ranges of a file.
 *
 * Both are ranges of an inode with an owner; flock()'s is the whole file, and the two kinds do
 * not see each other.  Unlocking may cut a range in two, so the memory for that is taken before
 * anything is changed.
 *
 * Locks: locks_lock (spin), a leaf but for kmalloc and wait queues.  Waiters look again
 *        whenever any lock goes.
 */
#include "kernel/fs/flock.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/restart.h"
#include "mm/kmalloc.h"

struct lock {
    struct list link;
    struct inode *inode;
    const void *owner; /* struct file: flock(); struct files: fcntl() */
    pid_t pid;
    bool whole; /* made by flock() */
    bool write;
    uint64_t start, end;
};

#define DROP_READ  1U
#define DROP_WRITE 2U

static struct spinlock locks_lock = SPINLOCK_INIT("file locks");
static struct waitq locks_changed = WAITQ_INIT(locks_changed);
static struct list locks = LIST_INIT(locks);

/* Another owner's lock that forbids @want, or NULL. locks_lock held. */
static struct lock *
lock_conflict(const struct lock *want)
{
    struct lock *l;

    list_for_each (l, &locks, link) {
        if (l->inode == want->inode && l->whole == want->whole && l->owner != want->owner &&
            l->start < want->end && want->start < l->end && (l->write || want->write))
            return l;
    }
    return NULL;
}

/* Takes the range of @want out of its owner's locks; @tail: memory for one that is cut in two. */
static void
lock_cut(const struct lock *want, struct lock **tail)
{
    struct lock *l, *next;

    list_for_each_safe(l, next, &locks, link)
    {
        if (l->inode != want->inode || l->owner != want->owner || l->end <= want->start ||
            want->end <= l->start)
            continue;
        if (l->start < want->start && want->end < l->end) {
            **tail = *l;
            (*tail)->start = want->end;
            list_insert_after(&l->link, &(*tail)->link);
            *tail = NULL;
            l->end = want->start;
        } else if (l->start < want->start) {
            l->end = want->start;
        } else if (want->end < l->end) {
            l->start = want->end;
        } else {
            list_del(&l->link);
            kfree(l);
        }
    }
}

/* Sets or clears the lock *want, if it can be had; what is entered becomes NULL. */
static bool
lock_try(struct lock **want, struct lock **tail, bool unlock)
{
    spin_lock(&locks_lock);
    bool ok = unlock || lock_conflict(*want) == NULL;
    if (ok) {
        lock_cut(*want, tail);
        if (!unlock) {
            list_push_back(&locks, &(*want)->link);
            *want = NULL;
        }
        waitq_wake_all(&locks_changed);
    }
    spin_unlock(&locks_lock);
    return ok;
}

static int
lock_set(const struct lock *what, bool unlock, bool wait)
{
    struct lock *want = kmalloc(sizeof(*want)), *tail = kmalloc(sizeof(*tail));
    int err = -ENOMEM;

    if (want != NULL && tail != NULL) {
        *want = *what;
        if (!wait)
            err = lock_try(&want, &tail, unlock) ? 0 : -EAGAIN;
        else
            err = wait_event_interruptible(&locks_changed, lock_try(&want, &tail, unlock));
    }
    kfree(want);
    kfree(tail);
    return err == -EINTR ? -ERESTARTSYS : err;
}

/* Drops the locks of one owner: @which: those for reading, for writing. */
static void
locks_drop(struct inode *i, const void *owner, unsigned which)
{
    struct lock *l, *next;

    /*
     * The common case.  A lock that another thread of the owner is about to set is not missed: it
     * looks, after that, whether its descriptor was closed meanwhile (drop_if_closed).
     */
    if (list_empty(&locks))
        return;
    spin_lock(&locks_lock);
    list_for_each_safe(l, next, &locks, link)
    {
        if (l->inode == i && l->owner == owner &&
            (which & (l->write ? DROP_WRITE : DROP_READ)) != 0) {
            list_del(&l->link);
            kfree(l);
            waitq_wake_all(&locks_changed);
        }
    }
    spin_unlock(&locks_lock);
}

void
flock_release(struct file *f)
{
    locks_drop(f->inode, f, DROP_READ | DROP_WRITE);
}

void
record_release(struct inode *i, struct files *owner)
{
    locks_drop(i, owner, DROP_READ | DROP_WRITE);
}

int
flock_set(struct file *f, unsigned type, bool wait)
{
    struct lock what = {.inode = f->inode,
                        .owner = f,
                        .whole = true,
                        .write = type == LOCK_EX,
                        .end = UINT64_MAX};

    if (type == LOCK_UN) {
        flock_release(f);
        return 0;
    }
    /* The other kind goes first: two sharers that both want all must not wait for ever. */
    WRITE_ONCE(f->flocked, true);
    locks_drop(f->inode, f, type == LOCK_EX ? DROP_READ : DROP_WRITE);
    return lock_set(&what, false, wait);
}

/* The range of a struct flock as [start, end). */
static int
range_of(struct file *f, const struct flock *l, uint64_t *start, uint64_t *end)
{
    int64_t base = 0, from, to;

    if (l->l_whence == SEEK_CUR)
        base = READ_ONCE(f->offset);
    else if (l->l_whence == SEEK_END)
        base = (int64_t)inode_size(f->inode);
    else if (l->l_whence != SEEK_SET)
        return -EINVAL;
    if (__builtin_add_overflow(base, l->l_start, &from) ||
        __builtin_add_overflow(from, l->l_len, &to))
        return -EOVERFLOW;
    if (l->l_len < 0) {
        int64_t swap = from;
        from = to;
        to = swap;
    }
    if (from < 0)
        return -EINVAL;
    *start = (uint64_t)from;
    *end = l->l_len == 0 ? UINT64_MAX : (uint64_t)to;
    return 0;
}

int
record_lock(struct file *f, struct files *owner, pid_t pid, const struct flock *range,
            bool wait)
{
    struct lock what = {
        .inode = f->inode, .owner = owner, .pid = pid, .write = range->l_type == F_WRLCK};
    int err = range_of(f, range, &what.start, &what.end);

    return err != 0 ? err : lock_set(&what, range->l_type == F_UNLCK, wait);
}

int
record_test(struct file *f, struct files *owner, struct flock *range)
{
    struct lock want = {.inode = f->inode, .owner = owner, .write = range->l_type == F_WRLCK};
    int err = range_of(f, range, &want.start, &want.end);

    if (err != 0)
        return err;
    spin_lock(&locks_lock);
    struct lock *l = lock_conflict(&want);
    if (l == NULL) {
        range->l_type = F_UNLCK;
    } else {
        range->l_type = l->write ? F_WRLCK : F_RDLCK;
        range->l_whence = SEEK_SET;
        range->l_start = (int64_t)l->start;
        range->l_len = l->end == UINT64_MAX ? 0 : (int64_t)(l->end - l->start);
        range->l_pid = l->pid;
    }
    spin_unlock(&locks_lock);
    return 0;
}
