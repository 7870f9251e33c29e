/*
 * tmpfs.c - a file system in memory.
 *
 * The entries of a directory are numbered in the order they were made, and the number is the
 * position that getdents gives out: so it stays good while other entries come and go. Positions
 * 0 and 1 are "." and "..".
 *
 * Space is counted by pages: before one is made, prepare_write books it.  A file's booking is
 * brought back to what it really has whenever it shrinks or goes.
 *
 * Locks: entries by the directory's inode lock; the counts by tmpfs->lock (spin).
 */
#include "kernel/fs/tmpfs.h"

#include "kernel/abi/dirent.h"
#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/fs/file.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

#define TMPFS_FIRST_ENTRY 2U

struct tmpfs {
    struct spinlock lock;
    uint64_t used, limit;      /* lock: pages */
    uint64_t inodes, next_ino; /* lock */
};

struct tmpfs_entry {
    struct list link;
    uint64_t position;
    struct inode *inode;
    size_t len;
    char name[];
};

struct tmpfs_inode {
    struct inode inode;
    uint64_t booked;        /* tmpfs->lock: pages */
    struct list entries;    /* I: directories */
    uint64_t next_position; /* I */
    struct inode *parent;   /* directories: no reference, valid while nlink > 0 */
    char *target;           /* links */
};

static struct tmpfs_inode *
tnode(struct inode *i)
{
    return container_of(i, struct tmpfs_inode, inode);
}

static struct tmpfs *
tmpfs_of(const struct inode *i)
{
    return i->super->private;
}

/* ---- space ---- */

/* Books @pages for the file instead of what it had. False: there is not so much. */
static bool
book(struct inode *i, uint64_t pages, bool force)
{
    struct tmpfs *t = tmpfs_of(i);
    struct tmpfs_inode *n = tnode(i);

    spin_lock(&t->lock);
    uint64_t used = t->used - n->booked + pages;
    bool ok = force || pages <= n->booked || used <= t->limit;
    if (ok) {
        t->used = used;
        n->booked = pages;
    }
    spin_unlock(&t->lock);
    return ok;
}

static int
tmpfs_prepare_write(struct object *o, pgidx_t index UNUSED)
{
    struct inode *i = inode_of_object(o);

    /* One more than it has is enough for whichever page is written; it may be there already. */
    return book(i, READ_ONCE(o->npages) + 1, false) ? 0 : -ENOSPC;
}

static const struct object_ops tmpfs_object_ops = {
    .prepare_write = tmpfs_prepare_write,
    .release = inode_release,
    .describe = inode_describe,
};

/* ---- inodes ---- */

static const struct inode_ops tmpfs_inode_ops;

static struct inode *
tmpfs_alloc_inode(struct super *s)
{
    struct tmpfs_inode *n = kzalloc(sizeof(*n));
    struct tmpfs *t = s->private;

    if (n == NULL)
        return NULL;
    list_init(&n->entries);
    n->next_position = TMPFS_FIRST_ENTRY;
    spin_lock(&t->lock);
    t->inodes++;
    spin_unlock(&t->lock);
    return &n->inode;
}

static void
tmpfs_free_inode(struct inode *i)
{
    struct tmpfs *t = tmpfs_of(i);

    book(i, 0, true);
    spin_lock(&t->lock);
    t->inodes--;
    spin_unlock(&t->lock);
    kfree(tnode(i)->target);
    kfree(tnode(i));
}

static int
make_inode(struct super *s, const struct inode *dir, mode_t mode, struct inode **out)
{
    struct tmpfs *t = s->private;

    /* Inodes are memory that cannot be had back while they have a name. */
    spin_lock(&t->lock);
    bool full = t->inodes >= t->limit;
    ino_t ino = t->next_ino++;
    spin_unlock(&t->lock);
    if (full)
        return -ENOSPC;
    int err = inode_new(s, ino, OBJECT_SHM, &tmpfs_object_ops, false, out);
    if (err != 0)
        return err;
    inode_init_owner(*out, dir, mode);
    (*out)->ops = &tmpfs_inode_ops;
    if (S_ISREG(mode))
        (*out)->fops = &regular_file_ops;
    else if (S_ISDIR(mode))
        (*out)->fops = &directory_file_ops;
    else
        inode_init_special(*out);
    return 0;
}

/* ---- entries ---- */

static struct tmpfs_entry *
find_entry(struct inode *dir, const char *name)
{
    size_t len = strlen(name);
    struct tmpfs_entry *e;

    list_for_each (e, &tnode(dir)->entries, link) {
        if (e->len == len && memcmp(e->name, name, len) == 0)
            return e;
    }
    return NULL;
}

static struct tmpfs_entry *
alloc_entry(const char *name)
{
    size_t len = strlen(name);
    struct tmpfs_entry *e = kmalloc(sizeof(*e) + len + 1);

    if (e == NULL)
        return NULL;
    list_init(&e->link);
    e->len = len;
    memcpy(e->name, name, len + 1);
    return e;
}

/* Enters @e for @inode, to which it takes a reference. */
static void
enter(struct inode *dir, struct tmpfs_entry *e, struct inode *inode)
{
    e->inode = inode;
    e->position = tnode(dir)->next_position++;
    inode_get(inode);
    __atomic_add_fetch(&inode->quiet_refs, 1, __ATOMIC_RELAXED);
    list_push_back(&tnode(dir)->entries, &e->link);
}

/*
 * Takes it out. The generic layer holds another reference to its inode, so this put frees
 * nothing.
 */
static void
leave(struct tmpfs_entry *e)
{
    list_del(&e->link);
    __atomic_sub_fetch(&e->inode->quiet_refs, 1, __ATOMIC_RELAXED);
    inode_put(e->inode);
    kfree(e);
}

static int
tmpfs_lookup(struct inode *dir, const char *name, struct inode **out)
{
    struct tmpfs_entry *e = find_entry(dir, name);

    if (e == NULL)
        return -ENOENT;
    inode_get(e->inode);
    *out = e->inode;
    return 0;
}

/* An inode and its entry, both or none. */
static int
make(struct inode *dir, const char *name, mode_t mode, struct inode **out)
{
    struct tmpfs_entry *e = alloc_entry(name);

    if (e == NULL)
        return -ENOMEM;
    int err = make_inode(dir->super, dir, mode, out);
    if (err != 0) {
        kfree(e);
        return err;
    }
    enter(dir, e, *out);
    return 0;
}

static int
tmpfs_create(struct inode *dir, const char *name, mode_t mode, dev_t rdev, struct inode **out)
{
    int err = make(dir, name, mode, out);

    if (err == 0)
        (*out)->rdev = rdev;
    return err;
}

static int
tmpfs_mkdir(struct inode *dir, const char *name, mode_t mode, struct inode **out)
{
    int err = make(dir, name, mode, out);

    if (err != 0)
        return err;
    (*out)->nlink = 2;
    tnode(*out)->parent = dir;
    dir->nlink++;
    return 0;
}

static int
tmpfs_symlink(struct inode *dir, const char *name, const char *target, struct inode **out)
{
    char *copy = kstrdup(target);

    if (copy == NULL)
        return -ENOMEM;
    int err = make(dir, name, S_IFLNK | S_IRWXUGO, out);
    if (err != 0) {
        kfree(copy);
        return err;
    }
    tnode(*out)->target = copy;
    (*out)->object.size = strlen(copy);
    return 0;
}

static int
tmpfs_link(struct inode *dir, const char *name, struct inode *inode)
{
    struct tmpfs_entry *e = alloc_entry(name);

    if (e == NULL)
        return -ENOMEM;
    enter(dir, e, inode);
    inode->nlink++;
    return 0;
}

static int
tmpfs_unlink(struct inode *dir, const char *name, struct inode *inode)
{
    leave(find_entry(dir, name));
    inode->nlink--;
    return 0;
}

static int
tmpfs_rmdir(struct inode *dir, const char *name, struct inode *inode)
{
    if (!list_empty(&tnode(inode)->entries))
        return -ENOTEMPTY;
    leave(find_entry(dir, name));
    inode->nlink = 0;
    dir->nlink--;
    return 0;
}

static int
tmpfs_rename(const struct rename *r)
{
    bool is_dir = S_ISDIR(r->inode->mode);

    if (r->victim != NULL && is_dir && !list_empty(&tnode(r->victim)->entries))
        return -ENOTEMPTY;
    struct tmpfs_entry *e = alloc_entry(r->new_name);
    if (e == NULL)
        return -ENOMEM;
    if (r->victim != NULL) {
        leave(find_entry(r->new_dir, r->new_name));
        r->victim->nlink = is_dir ? 0 : r->victim->nlink - 1;
        r->new_dir->nlink -= is_dir;
    }
    leave(find_entry(r->old_dir, r->old_name));
    enter(r->new_dir, e, r->inode);
    if (is_dir) {
        tnode(r->inode)->parent = r->new_dir;
        r->old_dir->nlink--;
        r->new_dir->nlink++;
    }
    return 0;
}

/* The two entries that every directory begins with. False: @emit is full. */
static bool
emit_dots(struct inode *dir, uint64_t *pos, dir_emit_fn *emit, void *ctx)
{
    struct inode *parent = dir->nlink > 0 ? tnode(dir)->parent : NULL;

    if (*pos == 0) {
        if (!emit(ctx, ".", 1, dir->ino, DT_DIR, 1))
            return false;
        *pos = 1;
    }
    if (*pos == 1) {
        ino_t ino = parent != NULL ? parent->ino : dir->ino;
        if (!emit(ctx, "..", 2, ino, DT_DIR, TMPFS_FIRST_ENTRY))
            return false;
        *pos = TMPFS_FIRST_ENTRY;
    }
    return true;
}

static int
tmpfs_getdents(struct inode *dir, uint64_t *pos, dir_emit_fn *emit, void *ctx)
{
    struct tmpfs_entry *e;

    if (!emit_dots(dir, pos, emit, ctx))
        return 0;
    list_for_each (e, &tnode(dir)->entries, link) {
        if (e->position < *pos)
            continue;
        if (!emit(ctx, e->name, e->len, e->inode->ino, DT_OF_MODE(e->inode->mode),
                  e->position + 1))
            return 0;
        *pos = e->position + 1;
    }
    return 0;
}

static ssize_t
tmpfs_readlink(struct inode *inode, char *buf, size_t size)
{
    size_t len = MIN(strlen(tnode(inode)->target), size);

    memcpy(buf, tnode(inode)->target, len);
    return (ssize_t)len;
}

static int
tmpfs_truncate(struct inode *inode, uint64_t size)
{
    object_resize(&inode->object, size);
    book(inode, READ_ONCE(inode->object.npages), true);
    return 0;
}

static const struct inode_ops tmpfs_inode_ops = {
    .lookup = tmpfs_lookup,
    .create = tmpfs_create,
    .mkdir = tmpfs_mkdir,
    .symlink = tmpfs_symlink,
    .link = tmpfs_link,
    .unlink = tmpfs_unlink,
    .rmdir = tmpfs_rmdir,
    .rename = tmpfs_rename,
    .getdents = tmpfs_getdents,
    .readlink = tmpfs_readlink,
    .truncate = tmpfs_truncate,
};

/* ---- the mount ---- */

static void
tmpfs_statfs(struct super *s, struct abi_statfs *st)
{
    struct tmpfs *t = s->private;

    spin_lock(&t->lock);
    st->f_type = TMPFS_MAGIC;
    st->f_bsize = PAGE_SIZE;
    st->f_blocks = t->limit;
    st->f_bfree = st->f_bavail = t->limit - MIN(t->used, t->limit);
    st->f_files = t->limit;
    st->f_ffree = t->limit - MIN(t->inodes, t->limit);
    spin_unlock(&t->lock);
}

/* The machine goes off: the memory is not worth giving back. */
static const struct super_ops tmpfs_super_ops = {
    .alloc_inode = tmpfs_alloc_inode,
    .free_inode = tmpfs_free_inode,
    .statfs = tmpfs_statfs,
};

int
tmpfs_mount(struct super *s)
{
    struct tmpfs *t = kzalloc(sizeof(*t));
    struct frame_stats st;

    if (t == NULL)
        return -ENOMEM;
    frame_get_stats(&st);
    t->lock = (struct spinlock)SPINLOCK_INIT("tmpfs");
    t->limit = st.total / 2;
    t->next_ino = 1;
    s->ops = &tmpfs_super_ops;
    s->block_size = PAGE_SIZE;
    s->private = t;
    int err = make_inode(s, NULL, S_IFDIR | S_ISVTX | S_IRWXUGO, &s->root_inode);
    if (err != 0) {
        kfree(t);
        return err;
    }
    s->root_inode->nlink = 2;
    return 0;
}

struct fs_type tmpfs_type = {.name = "tmpfs", .mount = tmpfs_mount};

/* ---- memfds ---- */

static struct super memfd_super;

int
tmpfs_init(void)
{
    super_init(&memfd_super, &tmpfs_super_ops);
    memfd_super.flags = SUPER_HIDDEN;
    int err = tmpfs_mount(&memfd_super);
    if (err != 0)
        return err;
    memfd_super.root = dentry_root(&memfd_super, memfd_super.root_inode);
    return memfd_super.root != NULL ? 0 : -ENOMEM;
}

int
tmpfs_memfd(const char *name, struct inode **inode, struct dentry **dentry)
{
    struct inode *dir = memfd_super.root->inode;
    int err = make_inode(&memfd_super, NULL, S_IFREG | S_IRWXUGO, inode);

    if (err != 0)
        return err;
    (*inode)->nlink = 0;
    struct dentry *d = dentry_alloc(name);
    if (d == NULL) {
        inode_put(*inode);
        return -ENOMEM;
    }
    inode_get(*inode);
    mutex_lock(&dir->lock);
    dentry_enter(d, memfd_super.root, *inode);
    dentry_remove(d); /* it has a name, but nobody finds it by that */
    mutex_unlock(&dir->lock);
    *dentry = d;
    return 0;
}
