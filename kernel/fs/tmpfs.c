/*
 * tmpfs.c - a file system in memory.
 *
 * A directory has no other contents than its names in the tree (dentry.c), which stay there
 * until they are removed: so the operations here make inodes and count links.
 *
 * Space is counted by pages: before one is made, prepare_write books it.  A file's booking is
 * brought back to what it really has whenever it shrinks or goes.
 *
 * Locks: link counts by the inodes' locks, as in inode.h; the counts by tmpfs->lock (spin).
 */
#include "kernel/fs/tmpfs.h"

#include "kernel/abi/errno.h"
#include "kernel/fs/file.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

struct tmpfs {
    struct spinlock lock;
    uint64_t used, limit;      /* lock: pages */
    uint64_t inodes, next_ino; /* lock */
};

struct tmpfs_inode {
    struct inode inode;
    uint64_t booked; /* tmpfs->lock: pages */
    char *target;    /* links */
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

/* ---- names ---- */

static int
tmpfs_create(struct inode *dir, const char *name UNUSED, mode_t mode, dev_t rdev,
             struct inode **out)
{
    int err = make_inode(dir->super, dir, mode, out);

    if (err == 0)
        (*out)->rdev = rdev;
    return err;
}

static int
tmpfs_mkdir(struct inode *dir, const char *name UNUSED, mode_t mode, struct inode **out)
{
    int err = make_inode(dir->super, dir, mode, out);

    if (err != 0)
        return err;
    (*out)->nlink = 2;
    dir->nlink++;
    return 0;
}

static int
tmpfs_symlink(struct inode *dir, const char *name UNUSED, const char *target,
              struct inode **out)
{
    char *copy = kstrdup(target);

    if (copy == NULL)
        return -ENOMEM;
    int err = make_inode(dir->super, dir, S_IFLNK | S_IRWXUGO, out);
    if (err != 0) {
        kfree(copy);
        return err;
    }
    tnode(*out)->target = copy;
    (*out)->object.size = strlen(copy);
    return 0;
}

static int
tmpfs_link(struct inode *dir UNUSED, const char *name UNUSED, struct inode *inode)
{
    inode->nlink++;
    return 0;
}

static int
tmpfs_unlink(struct inode *dir UNUSED, const char *name UNUSED, struct inode *inode)
{
    inode->nlink--;
    return 0;
}

static int
tmpfs_rmdir(struct inode *dir, const char *name UNUSED, struct inode *inode)
{
    if (dentry_has_children(inode))
        return -ENOTEMPTY;
    inode->nlink = 0;
    dir->nlink--;
    return 0;
}

static int
tmpfs_rename(const struct rename *r)
{
    bool is_dir = S_ISDIR(r->inode->mode);

    if (r->victim != NULL && is_dir && dentry_has_children(r->victim))
        return -ENOTEMPTY;
    if (r->victim != NULL) {
        r->victim->nlink = is_dir ? 0 : r->victim->nlink - 1;
        r->new_dir->nlink -= is_dir;
    }
    r->old_dir->nlink -= is_dir;
    r->new_dir->nlink += is_dir;
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
    .create = tmpfs_create,
    .mkdir = tmpfs_mkdir,
    .symlink = tmpfs_symlink,
    .link = tmpfs_link,
    .unlink = tmpfs_unlink,
    .rmdir = tmpfs_rmdir,
    .rename = tmpfs_rename,
    .getdents = dentry_getdents,
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
    s->flags |= SUPER_IN_MEMORY;
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
