/*
 * flock.c - advisory locks: flock() on open files, record locks of fcntl() on ranges of a file.
 *
 * Flock locks stand in the files themselves (file->flock), and in one list of the files that
 * hold one. Record locks are ranges, each with its inode and owner, in another list.  Unlocking
 * may split a range in two, so its memory is taken before anything is changed.
 *
 * Locks: locks_lock (spin), a leaf but for kmalloc and wait queues.  Waiters look again
 *        whenever any lock goes.
 */
#include "kernel/fs/flock.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/restart.h"
#include "mm/kmalloc.h"

struct record {
    struct list link;
    struct inode *inode;
    struct files *owner;
    pid_t pid;
    bool write;
    uint64_t start, end;
};

struct flocked {
    struct list link;
    struct file *file;
};

static struct spinlock locks_lock = SPINLOCK_INIT("file locks");
static struct waitq locks_changed = WAITQ_INIT(locks_changed);
static struct list records = LIST_INIT(records);
static struct list flocked_files = LIST_INIT(flocked_files);

/* True if another open file's lock on the inode of @f forbids @type. */
static bool
flock_conflict(struct file *f, unsigned type)
{
    struct flocked *x;

    list_for_each (x, &flocked_files, link) {
        if (x->file != f && x->file->inode == f->inode &&
            (type == LOCK_EX || x->file->flock == LOCK_EX))
            return true;
    }
    return false;
}

static void
flock_drop(struct file *f)
{
    struct flocked *x;

    f->flock = 0;
    list_for_each (x, &flocked_files, link) {
        if (x->file == f) {
            list_del(&x->link);
            kfree(x);
            break;
        }
    }
    waitq_wake_all(&locks_changed);
}

void
flock_release(struct file *f)
{
    spin_lock(&locks_lock);
    flock_drop(f);
    spin_unlock(&locks_lock);
}

/* @fresh: memory for a first lock; used up if it is entered. */
static bool
flock_try(struct file *f, unsigned type, struct flocked **fresh)
{
    spin_lock(&locks_lock);
    bool ok = !flock_conflict(f, type);
    if (ok && f->flock == 0) {
        (*fresh)->file = f;
        list_push_back(&flocked_files, &(*fresh)->link);
        *fresh = NULL;
    }
    if (ok) {
        f->flock = (uint8_t)type;
        waitq_wake_all(&locks_changed); /* an exclusive one may have become shared */
    }
    spin_unlock(&locks_lock);
    return ok;
}

int
flock_set(struct file *f, unsigned type, bool wait)
{
    int err = 0;

    if (type == LOCK_UN) {
        flock_release(f);
        return 0;
    }
    struct flocked *fresh = kmalloc(sizeof(*fresh));
    if (fresh == NULL)
        return -ENOMEM;
    /* The old lock goes first, for good: two sharers that both want all must not wait for ever. */
    if (READ_ONCE(f->flock) != type)
        flock_release(f);
    if (!wait)
        err = flock_try(f, type, &fresh) ? 0 : -EAGAIN;
    else if (wait_event_interruptible(&locks_changed, flock_try(f, type, &fresh)) != 0)
        err = -ERESTARTSYS;
    kfree(fresh);
    return err;
}

/* The range of a struct flock as [start, end). */
static int
range_of(struct file *f, const struct flock *l, uint64_t *start, uint64_t *end)
{
    int64_t base = 0, from, to;

    if (l->l_whence == SEEK_CUR)
        base = f->offset;
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

/* Another owner's record that forbids @want, or NULL. locks_lock held. */
static struct record *
record_conflict(const struct record *want)
{
    struct record *r;

    list_for_each (r, &records, link) {
        if (r->inode == want->inode && r->owner != want->owner && r->start < want->end &&
            want->start < r->end && (r->write || want->write))
            return r;
    }
    return NULL;
}

/*
 * Takes [start, end) out of the owner's records; @tail: memory for the one that may be cut in
 * two.
 */
static void
record_cut(const struct record *want, struct record **tail)
{
    struct record *r, *next;

    list_for_each_safe(r, next, &records, link)
    {
        if (r->inode != want->inode || r->owner != want->owner || r->end <= want->start ||
            want->end <= r->start)
            continue;
        if (r->start < want->start && want->end < r->end) {
            **tail = *r;
            (*tail)->start = want->end;
            list_insert_after(&r->link, &(*tail)->link);
            *tail = NULL;
            r->end = want->start;
        } else if (r->start < want->start) {
            r->end = want->start;
        } else if (want->end < r->end) {
            r->start = want->end;
        } else {
            list_del(&r->link);
            kfree(r);
        }
    }
}

/* Sets or clears the lock *want, if it can be had. */
static bool
record_try(struct record **want, struct record **tail, bool unlock)
{
    spin_lock(&locks_lock);
    bool ok = unlock || record_conflict(*want) == NULL;
    if (ok) {
        record_cut(*want, tail);
        if (!unlock) {
            list_push_back(&records, &(*want)->link);
            *want = NULL;
        }
        waitq_wake_all(&locks_changed);
    }
    spin_unlock(&locks_lock);
    return ok;
}

int
record_lock(struct file *f, struct files *owner, pid_t pid, const struct flock *range,
            bool wait)
{
    struct record *want = kzalloc(sizeof(*want)), *tail = kzalloc(sizeof(*tail));
    bool unlock = range->l_type == F_UNLCK;
    int err = -ENOMEM;

    if (want == NULL || tail == NULL)
        goto out;
    err = range_of(f, range, &want->start, &want->end);
    if (err != 0)
        goto out;
    want->inode = f->inode;
    want->owner = owner;
    want->pid = pid;
    want->write = range->l_type == F_WRLCK;
    if (!wait)
        err = record_try(&want, &tail, unlock) ? 0 : -EAGAIN;
    else if (wait_event_interruptible(&locks_changed, record_try(&want, &tail, unlock)) != 0)
        err = -ERESTARTSYS;
out:
    kfree(want);
    kfree(tail);
    return err;
}

int
record_test(struct file *f, struct files *owner, struct flock *range)
{
    struct record want = {.inode = f->inode, .owner = owner, .write = range->l_type == F_WRLCK};
    int err = range_of(f, range, &want.start, &want.end);

    if (err != 0)
        return err;
    spin_lock(&locks_lock);
    struct record *r = record_conflict(&want);
    if (r == NULL) {
        range->l_type = F_UNLCK;
    } else {
        range->l_type = r->write ? F_WRLCK : F_RDLCK;
        range->l_whence = SEEK_SET;
        range->l_start = (int64_t)r->start;
        range->l_len = r->end == UINT64_MAX ? 0 : (int64_t)(r->end - r->start);
        range->l_pid = r->pid;
    }
    spin_unlock(&locks_lock);
    return 0;
}

void
record_release(struct inode *i, struct files *owner)
{
    struct record *r, *next;

    if (list_empty(&records)) /* the common case; an own lock cannot appear meanwhile */
        return;
    spin_lock(&locks_lock);
    list_for_each_safe(r, next, &records, link)
    {
        if (r->inode == i && r->owner == owner) {
            list_del(&r->link);
            kfree(r);
            waitq_wake_all(&locks_changed);
        }
    }
    spin_unlock(&locks_lock);
}
