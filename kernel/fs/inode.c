/*
 * inode.c - inodes: the cache, their metadata, permissions and times.
 *
 * A cached inode is found by (super, number) in one hash table, which holds a reference to it.
 * So the count of a cached inode never falls to 0 by itself: it leaves the table first
 * (inode_forget when its last link went, try_evict when memory or the mount is wanted back),
 * and what cannot be found any more cannot come to life again.  That is why release needs no
 * second look.
 *
 * Locks: icache_lock guards the table and the lists of dirty inodes.  It is a leaf.
 */
#include "kernel/fs/inode.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/fcntl.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/fs/chrdev.h"
#include "kernel/fs/file.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/super.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/thread.h"
#include "mm/kmalloc.h"

#define ICACHE_BUCKETS 256U

static struct spinlock icache_lock = SPINLOCK_INIT("icache");
static struct list icache[ICACHE_BUCKETS];
static uint64_t inodes_alive;

static struct list *
icache_bucket(const struct super *s, ino_t ino)
{
    uint64_t h = ((uint64_t)(uintptr_t)s >> 6) ^ ino;

    h *= 0x9e3779b97f4a7c15UL;
    struct list *b = &icache[h >> 56];
    if (b->next == NULL)
        list_init(b);
    return b;
}
STATIC_ASSERT(ICACHE_BUCKETS == 1U << 8);

/* icache_lock held. */
static struct inode *
icache_find(struct super *s, ino_t ino)
{
    struct list *b = icache_bucket(s, ino);
    struct inode *i;

    list_for_each (i, b, hash_link) {
        if (i->super == s && i->ino == ino)
            return i;
    }
    return NULL;
}

static void
quiet_add(struct inode *i, int n)
{
    __atomic_add_fetch(&i->quiet_refs, (uint32_t)n, __ATOMIC_RELAXED);
}

static uint32_t
inode_refs(const struct inode *i)
{
    return __atomic_load_n(&i->object.refs, __ATOMIC_ACQUIRE);
}

/* Enters an inode; the table's reference is taken. icache_lock held. */
static void
icache_enter(struct inode *i)
{
    inode_get(i);
    quiet_add(i, 1);
    i->cached = true;
    list_push_back(icache_bucket(i->super, i->ino), &i->hash_link);
}

/* Takes it out; the table's reference is now the caller's. icache_lock held. */
static void
icache_remove(struct inode *i)
{
    i->cached = false;
    i->dirty = false;
    quiet_add(i, -1);
    list_del(&i->hash_link);
    list_del(&i->dirty_link);
}

struct inode *
inode_alloc_plain(struct super *s UNUSED)
{
    return kzalloc(sizeof(struct inode));
}

void
inode_free_plain(struct inode *i)
{
    kfree(i);
}

static struct inode *
inode_alloc(struct super *s, ino_t ino, enum object_kind kind, const struct object_ops *oops)
{
    struct inode *i = s->ops->alloc_inode(s);

    if (i == NULL)
        return NULL;
    object_init(&i->object, kind, oops);
    mutex_init(&i->lock, "inode");
    i->super = s;
    i->ino = ino;
    i->nlink = 1;
    i->atime = i->mtime = i->ctime = (int64_t)clock_realtime();
    list_init(&i->hash_link);
    list_init(&i->dirty_link);
    list_init(&i->dentries);
    __atomic_add_fetch(&inodes_alive, 1, __ATOMIC_RELAXED);
    return i;
}

int
inode_new(struct super *s, ino_t ino, enum object_kind kind, const struct object_ops *oops,
          bool cached, struct inode **out)
{
    struct inode *i = inode_alloc(s, ino, kind, oops);

    if (i == NULL)
        return -ENOMEM;
    if (cached) {
        spin_lock(&icache_lock);
        struct inode *other = icache_find(s, ino);
        if (other == NULL)
            icache_enter(i);
        spin_unlock(&icache_lock);
        /* Only a damaged disk frees a number that is in use. */
        if (other != NULL) {
            kprintf("fs: inode %lu was free on the disk but is in use\n", ino);
            i->load_failed = true;
            inode_put(i);
            return -EIO;
        }
    }
    *out = i;
    return 0;
}

/* Waits if somebody is reading it in. The reference is used up on failure. */
static int
inode_wait_loaded(struct inode *i)
{
    if (__atomic_load_n(&i->loading, __ATOMIC_ACQUIRE)) {
        mutex_lock_nested(&i->lock);
        mutex_unlock(&i->lock);
    }
    if (!READ_ONCE(i->load_failed))
        return 0;
    inode_put(i);
    return -EIO;
}

/* Reads in an inode that is in the table and locked. */
static int
inode_read_in(struct inode *i)
{
    int err = i->super->ops->read_inode(i);

    spin_lock(&icache_lock);
    if (err != 0) {
        i->load_failed = true;
        icache_remove(i);
    }
    /* Last: who finds it loaded, with no lock, looks at nothing but load_failed any more. */
    __atomic_store_n(&i->loading, false, __ATOMIC_RELEASE);
    spin_unlock(&icache_lock);
    mutex_unlock(&i->lock);
    if (err != 0) {
        inode_put(i); /* the table's */
        inode_put(i);
    }
    return err;
}

int
inode_load(struct super *s, ino_t ino, struct inode **out)
{
    struct inode *new = NULL;

    spin_lock(&icache_lock);
    struct inode *i = icache_find(s, ino);
    if (i == NULL) {
        spin_unlock(&icache_lock);
        new = inode_alloc(s, ino, OBJECT_FILE, s->file_object_ops);
        if (new == NULL)
            return -ENOMEM;
        new->loading = true;
        mutex_lock_nested(&new->lock);
        spin_lock(&icache_lock);
        i = icache_find(s, ino);
        if (i == NULL)
            icache_enter(new);
    }
    if (i != NULL)
        inode_get(i);
    spin_unlock(&icache_lock);

    if (i == NULL) {
        *out = new;
        return inode_read_in(new);
    }
    if (new != NULL) { /* somebody was faster */
        new->load_failed = true;
        mutex_unlock(&new->lock);
        inode_put(new);
    }
    *out = i;
    return inode_wait_loaded(i);
}

void
inode_release(struct object *o)
{
    struct inode *i = inode_of_object(o);

    ASSERT(!i->cached);
    ASSERT(list_empty(&i->dentries));
    if (!object_retire(o)) /* the flusher has it for a moment: its put comes here again */
        return;
    if (!i->load_failed && i->super->ops->evict_inode != NULL)
        i->super->ops->evict_inode(i);
    __atomic_sub_fetch(&inodes_alive, 1, __ATOMIC_RELAXED);
    i->super->ops->free_inode(i);
}

void
inode_forget(struct inode *i)
{
    spin_lock(&icache_lock);
    bool was = i->cached;
    if (was)
        icache_remove(i);
    spin_unlock(&icache_lock);
    if (was)
        inode_put(i);
}

/*
 * Writes @i and takes it out of the table if nobody came meanwhile. The caller's reference is
 * used up.  If something could not be written, it stays for an fsync to tell.  While it is
 * written it can still be found: were it taken out first, a look-up would read the old one from
 * the disk.
 */
static bool
try_evict(struct inode *i, bool force)
{
    bool evict = false;
    int err = object_write_back(&i->object);
    int err2 =
        READ_ONCE(i->dirty) ? inode_write(i) : 0; /* who frees memory waits for few locks */

    if (err == 0)
        err = err2;
    spin_lock(&icache_lock);
    if (i->cached && inode_refs(i) == 2 && !i->loading &&
        (force || (err == 0 && !i->dirty && READ_ONCE(i->object.ndirty) == 0))) {
        icache_remove(i);
        evict = true;
    }
    spin_unlock(&icache_lock);
    if (evict)
        inode_put(i);
    inode_put(i);
    return evict;
}

/* An inode of @s (NULL: any) in @b held by the table alone, after @skip others; referenced. */
static struct inode *
icache_idle(struct list *b, struct super *s, unsigned skip)
{
    struct inode *i, *found = NULL;

    spin_lock(&icache_lock);
    if (b->next == NULL)
        list_init(b);
    list_for_each (i, b, hash_link) {
        if ((s != NULL && i->super != s) || inode_refs(i) != 1 || i->loading)
            continue;
        if (skip-- == 0) {
            inode_get(i);
            found = i;
            break;
        }
    }
    spin_unlock(&icache_lock);
    return found;
}

static unsigned
icache_drop_idle(struct super *s, bool force)
{
    unsigned dropped = 0;

    for (unsigned k = 0; k < ICACHE_BUCKETS; k++) {
        unsigned skip = 0;
        struct inode *i;

        while ((i = icache_idle(&icache[k], s, skip)) != NULL) {
            if (try_evict(i, force))
                dropped++;
            else
                skip++;
        }
    }
    return dropped;
}

unsigned
inode_shrink(void)
{
    return icache_drop_idle(NULL, false);
}

void
inode_evict_super(struct super *s)
{
    icache_drop_idle(s, true);
}

uint64_t
inode_count(void)
{
    return __atomic_load_n(&inodes_alive, __ATOMIC_RELAXED);
}

void
inode_mark_dirty(struct inode *i)
{
    if (i->super->ops->write_inode == NULL || READ_ONCE(i->dirty))
        return;
    spin_lock(&icache_lock);
    if (i->cached && !i->dirty) {
        i->dirty = true;
        list_push_back(&i->super->dirty_inodes, &i->dirty_link);
    }
    spin_unlock(&icache_lock);
}

int
inode_write(struct inode *i)
{
    /* The lock first: one that is clean may be on its way, and a caller of fsync waits for that. */
    mutex_lock(&i->lock);
    /* Clean before it is written: a change that comes during the write marks it again. */
    spin_lock(&icache_lock);
    bool dirty = i->dirty;
    i->dirty = false;
    list_del(&i->dirty_link);
    spin_unlock(&icache_lock);
    int err = dirty ? i->super->ops->write_inode(i) : 0;
    mutex_unlock(&i->lock);
    if (err != 0)
        inode_mark_dirty(i);
    return err;
}

/* What fails is marked again, behind the others: so each is tried but once. */
int
inode_write_super(struct super *s)
{
    struct inode *i;
    unsigned left = 0;
    int first = 0;

    spin_lock(&icache_lock);
    list_for_each (i, &s->dirty_inodes, dirty_link)
        left++;
    while (left-- > 0 && !list_empty(&s->dirty_inodes)) {
        i = list_first(&s->dirty_inodes, struct inode, dirty_link);
        inode_get(i);
        spin_unlock(&icache_lock);
        int err = inode_write(i);
        inode_put(i);
        if (first == 0)
            first = err;
        spin_lock(&icache_lock);
    }
    spin_unlock(&icache_lock);
    return first;
}

int
inode_sync(struct inode *i)
{
    int err = object_sync(&i->object, 0, UINT64_MAX);
    int err2 = inode_write(i);

    if (err == 0)
        err = err2;
    if (i->super->bdev != NULL) {
        err2 = fs_sync_super_metadata(i->super, false);
        if (err == 0)
            err = err2;
    }
    return err;
}

/* relatime: only when it is not newer than the last change, or a day old. */
static bool
atime_due(const struct inode *i, int64_t now)
{
    return i->atime <= i->mtime || i->atime <= i->ctime ||
           now - i->atime >= 86400 * (int64_t)NSEC_PER_SEC;
}

void
inode_touch(struct inode *i, unsigned which)
{
    int64_t now = (int64_t)clock_realtime();

    if ((i->super->flags & (SUPER_READ_ONLY | SUPER_VOLATILE)) != 0)
        return;
    if ((which & INODE_ATIME) != 0 && !atime_due(i, now))
        which &= ~INODE_ATIME;
    if (which == 0)
        return;
    if ((which & INODE_ATIME) != 0)
        i->atime = now;
    if ((which & INODE_MTIME) != 0)
        i->mtime = now;
    if ((which & INODE_CTIME) != 0)
        i->ctime = now;
    inode_mark_dirty(i);
}

int
inode_permission(struct inode *i, unsigned want)
{
    const struct cred *c = current_thread()->cred;

    if (i->ops != NULL && i->ops->refresh != NULL)
        i->ops->refresh(i);
    if ((want & W_OK) != 0 && (i->super->flags & SUPER_READ_ONLY) != 0 &&
        (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
        return -EROFS;
    if (c == NULL || cred_privileged_fs(c)) {
        bool some_x = S_ISDIR(i->mode) || (i->mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
        return (want & X_OK) != 0 && !some_x ? -EACCES : 0;
    }
    mode_t bits = i->mode;
    if (c->fsuid == i->uid)
        bits >>= 6;
    else if (cred_in_group(c, i->gid))
        bits >>= 3;
    return (bits & want) == want ? 0 : -EACCES;
}

bool
inode_owner_or_root(const struct inode *i)
{
    const struct cred *c = current_thread()->cred;

    return c == NULL || cred_privileged_fs(c) || c->fsuid == i->uid;
}

void
inode_init_owner(struct inode *i, const struct inode *dir, mode_t mode)
{
    const struct cred *c = current_thread()->cred;

    i->mode = mode;
    i->uid = c != NULL ? c->fsuid : 0;
    i->gid = c != NULL ? c->fsgid : 0;
    if (dir != NULL && (dir->mode & S_ISGID) != 0) {
        i->gid = dir->gid;
        if (S_ISDIR(mode))
            i->mode |= S_ISGID;
        else if ((mode & S_IXGRP) != 0 && c != NULL && !cred_privileged_fs(c) &&
                 !cred_in_group(c, i->gid))
            i->mode &= ~S_ISGID; /* nobody makes programs of a group that is not his */
    }
}

void
inode_init_special(struct inode *i)
{
    if (S_ISFIFO(i->mode))
        i->fops = &fifo_file_ops;
    else if (S_ISCHR(i->mode))
        i->fops = &chrdev_file_ops;
    else if (S_ISBLK(i->mode))
        i->fops = &blkdev_file_ops;
    else
        i->fops = NULL; /* sockets: open says ENXIO */
}

void
inode_describe(struct object *o, char *path, size_t size, dev_t *dev, ino_t *ino)
{
    struct inode *i = inode_of_object(o);

    if (path != NULL && size > 0)
        inode_path(i, path, size);
    if (dev != NULL)
        *dev = i->super->dev;
    if (ino != NULL)
        *ino = i->ino;
}

static struct abi_timespec
to_timespec(int64_t ns)
{
    struct abi_timespec t = {ns / (int64_t)NSEC_PER_SEC, ns % (int64_t)NSEC_PER_SEC};

    if (t.tv_nsec < 0) { /* before 1970 */
        t.tv_sec--;
        t.tv_nsec += (int64_t)NSEC_PER_SEC;
    }
    return t;
}

void
inode_stat(struct inode *i, struct abi_stat *st)
{
    if (i->ops != NULL && i->ops->refresh != NULL)
        i->ops->refresh(i);
    *st = (struct abi_stat){
        .st_dev = i->super->dev,
        .st_ino = i->ino,
        .st_nlink = i->nlink,
        .st_mode = i->mode,
        .st_uid = i->uid,
        .st_gid = i->gid,
        .st_rdev = S_ISCHR(i->mode) || S_ISBLK(i->mode) ? i->rdev : 0,
        .st_size = (int64_t)inode_size(i),
        .st_blksize = i->super->block_size,
        .st_blocks = (int64_t)i->blocks,
        .st_atim = to_timespec(i->atime),
        .st_mtim = to_timespec(i->mtime),
        .st_ctim = to_timespec(i->ctime),
    };
    if (i->object.kind == OBJECT_SHM)
        st->st_blocks = (int64_t)(READ_ONCE(i->object.npages) * (PAGE_SIZE / 512));
}
