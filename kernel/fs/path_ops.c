/*
 * path_ops.c - making, removing and moving names.
 *
 * Every operation has the same shape: walk to the parents, lock them, look at the names again
 * under the locks, judge, take what memory is needed, let the file system do it, and then move
 * the names in the tree, which cannot fail.  So when anything fails, nothing has happened.
 *
 * The order of the checks is Linux's, because programs see it in errno.
 */
#include "kernel/fs/path.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/fcntl.h"
#include "kernel/arch/cpu.h"
#include "kernel/fs/super.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/thread.h"
#include "mm/kmalloc.h"

/* May the name of @i in @dir be removed; @want_dir: by rmdir. */
static int
may_delete(struct inode *dir, const struct dentry *d, bool want_dir)
{
    const struct cred *c = current_thread()->cred;
    struct inode *i = d->inode;
    int err = inode_permission(dir, W_OK | X_OK);

    if (err != 0)
        return err;
    if ((dir->mode & S_ISVTX) != 0 && c != NULL && !cred_privileged_fs(c) &&
        c->fsuid != i->uid && c->fsuid != dir->uid)
        return -EPERM;
    if (want_dir && !S_ISDIR(i->mode))
        return -ENOTDIR;
    if (!want_dir && S_ISDIR(i->mode))
        return -EISDIR;
    if (READ_ONCE(d->mounted) != NULL || d->parent == d)
        return -EBUSY;
    return 0;
}

/* Calls the file system's operation for @make. @dir locked; for a link the inode too. */
static int
make_on_disk(struct inode *dir, const char *name, const struct make *make, struct inode **out)
{
    const struct inode_ops *ops = dir->ops;

    if (make->link != NULL) {
        if (ops->link == NULL)
            return -EPERM;
        if (make->link->nlink == 0)
            return -ENOENT;
        int err = ops->link(dir, name, make->link);
        if (err == 0) {
            inode_get(make->link);
            *out = make->link;
        }
        return err;
    }
    if (S_ISDIR(make->mode))
        return ops->mkdir != NULL ? ops->mkdir(dir, name, make->mode, out) : -EPERM;
    if (S_ISLNK(make->mode))
        return ops->symlink != NULL ? ops->symlink(dir, name, make->target, out) : -EPERM;
    return ops->create != NULL ? ops->create(dir, name, make->mode, make->rdev, out) : -EPERM;
}

/* The part of path_make under the directory's lock. @d is used up on success. */
static int
make_locked(struct path_last *l, const struct make *make, struct dentry *d)
{
    struct inode *dir = l->parent->inode, *inode;
    struct dentry *there;

    if (dir->nlink == 0)
        return -ENOENT;
    int err = path_step_locked(l->parent, l->name, &there);
    if (err == 0) {
        dentry_put(there);
        return -EEXIST;
    }
    if (err != -ENOENT)
        return err;
    err = make_on_disk(dir, l->name, make, &inode);
    if (err != 0)
        return err;
    inode_touch(dir, INODE_MTIME | INODE_CTIME);
    dentry_enter(d, l->parent, inode);
    return 0;
}

int
path_make(struct path_last *l, const struct make *make, struct dentry **out)
{
    struct inode *dir = l->parent->inode;
    struct dentry *there;
    int err = path_step(l->parent, l->name, &there);

    if (err == 0) {
        dentry_put(there);
        return -EEXIST;
    }
    if (err != -ENOENT)
        return err;
    if (l->slash && !S_ISDIR(make->mode))
        return -ENOENT;
    if (make->link != NULL && make->link->super != dir->super)
        return -EXDEV;
    err = inode_permission(dir, W_OK | X_OK);
    if (err != 0)
        return err;
    if (make->link != NULL && S_ISDIR(make->link->mode))
        return -EPERM;
    struct dentry *d = dentry_alloc(l->name);
    if (d == NULL)
        return -ENOMEM;
    mutex_lock(&dir->lock);
    if (make->link != NULL)
        mutex_lock_nested(&make->link->lock);
    err = make_locked(l, make, d);
    if (make->link != NULL) {
        if (err == 0)
            inode_touch(make->link, INODE_CTIME);
        mutex_unlock(&make->link->lock);
    }
    mutex_unlock(&dir->lock);
    if (err != 0)
        dentry_discard(d);
    else if (out != NULL)
        *out = d;
    else
        dentry_put(d);
    return err;
}

static bool
is_name(const struct path_last *l)
{
    return l->name[0] != '\0' && !l->dot && !l->dotdot;
}

/* Walks to where something is to be made, and makes it. */
static int
make_user(int dirfd, vaddr_t upath, const struct make *make)
{
    struct path_last l;
    int err = path_parent_user(dirfd, upath, &l);

    if (err != 0)
        return err;
    err = is_name(&l) ? path_make(&l, make, NULL) : -EEXIST;
    path_last_free(&l);
    return err;
}

int
path_mknod(int dirfd, vaddr_t upath, mode_t mode, dev_t rdev)
{
    const struct cred *c = current_thread()->cred;

    if ((mode & S_IFMT) == 0)
        mode |= S_IFREG;
    if (S_ISDIR(mode))
        return -EPERM;
    if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode) && !S_ISCHR(mode) &&
        !S_ISBLK(mode))
        return -EINVAL;
    if ((S_ISCHR(mode) || S_ISBLK(mode)) && c != NULL && !cred_privileged_fs(c))
        return -EPERM;
    struct make make = {.mode = mode & (S_IFMT | (S_IALLUGO & ~fs_umask())), .rdev = rdev};
    return make_user(dirfd, upath, &make);
}

int
path_mkdir(int dirfd, vaddr_t upath, mode_t mode)
{
    struct make make = {.mode = S_IFDIR | (mode & (S_IRWXUGO | S_ISVTX) & ~fs_umask())};

    return make_user(dirfd, upath, &make);
}

int
path_symlink(vaddr_t utarget, int dirfd, vaddr_t upath)
{
    char *target;
    int err = path_from_user(utarget, false, &target);

    if (err != 0)
        return err;
    struct make make = {.mode = S_IFLNK | S_IRWXUGO, .target = target};
    err = make_user(dirfd, upath, &make);
    kfree(target);
    return err;
}

int
path_link(int olddirfd, vaddr_t uold, int newdirfd, vaddr_t unew, unsigned flags)
{
    struct dentry *old;

    if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    unsigned how = (flags & AT_SYMLINK_FOLLOW) != 0 ? PATH_FOLLOW : 0;
    if ((flags & AT_EMPTY_PATH) != 0)
        how |= PATH_EMPTY;
    int err = path_walk_user(olddirfd, uold, how, &old);
    if (err != 0)
        return err;
    struct make make = {.mode = S_IFREG, .link = old->inode};
    err = make_user(newdirfd, unew, &make);
    dentry_put(old);
    return err;
}

/* rmdir() and unlink() of @l->name. @victim: to be put when nothing is locked. */
static int
remove_locked(struct path_last *l, bool want_dir, struct dentry **victim)
{
    struct inode *dir = l->parent->inode;
    int err = path_step_locked(l->parent, l->name, victim);

    if (err != 0)
        return err;
    struct inode *i = (*victim)->inode;
    if (!want_dir && l->slash)
        return S_ISDIR(i->mode) ? -EISDIR : -ENOTDIR;
    err = may_delete(dir, *victim, want_dir);
    if (err != 0)
        return err;
    int (*op)(struct inode *, const char *, struct inode *) =
        want_dir ? dir->ops->rmdir : dir->ops->unlink;
    if (op == NULL)
        return -EPERM;
    mutex_lock_nested(&i->lock);
    err = op(dir, l->name, i);
    if (err == 0) {
        inode_touch(i, INODE_CTIME);
        inode_touch(dir, INODE_MTIME | INODE_CTIME);
        dentry_remove(*victim);
    }
    mutex_unlock(&i->lock);
    return err;
}

static int
remove_name(struct path_last *l, bool want_dir)
{
    struct inode *dir = l->parent->inode;
    struct dentry *victim = NULL;

    mutex_lock(&dir->lock);
    int err = remove_locked(l, want_dir, &victim);
    mutex_unlock(&dir->lock);
    if (err == 0 && victim->inode->nlink == 0)
        inode_forget(victim->inode);
    dentry_put(victim);
    return err;
}

int
path_unlink_last(struct path_last *l)
{
    return is_name(l) ? remove_name(l, false) : -EISDIR;
}

int
path_remove(int dirfd, vaddr_t upath, bool want_dir)
{
    struct path_last l;
    int err = path_parent_user(dirfd, upath, &l);

    if (err != 0)
        return err;
    if (is_name(&l))
        err = remove_name(&l, want_dir);
    else if (!want_dir)
        err = -EISDIR;
    else
        err = l.dot ? -EINVAL : l.dotdot ? -ENOTEMPTY : -EBUSY;
    path_last_free(&l);
    return err;
}

/* Everything one rename works on. */
struct move {
    struct path_last from, to;
    struct dentry *old, *victim; /* victim: NULL when the new name is free */
    unsigned flags;
};

/*
 * Locks both directories.  When they differ: rename_lock first, which keeps the tree's shape,
 * then an ancestor before its descendant, so that this agrees with everybody who locks
 * downwards.
 */
static void
move_lock(struct move *m)
{
    struct dentry *a = m->from.parent, *b = m->to.parent;

    if (a->inode == b->inode) {
        mutex_lock(&a->inode->lock);
        return;
    }
    mutex_lock(&a->super->rename_lock);
    bool b_first =
        dentry_is_ancestor(b, a) || (!dentry_is_ancestor(a, b) && b->inode < a->inode);
    mutex_lock(b_first ? &b->inode->lock : &a->inode->lock);
    mutex_lock_nested(b_first ? &a->inode->lock : &b->inode->lock);
}

static void
move_unlock(struct move *m)
{
    struct inode *a = m->from.parent->inode, *b = m->to.parent->inode;

    mutex_unlock(&a->lock);
    if (a == b)
        return;
    mutex_unlock(&b->lock);
    mutex_unlock(&a->super->rename_lock);
}

/* Finds both names and judges them. 1: nothing to do, both are the same file. */
static int
move_check(struct move *m)
{
    int err = path_step_locked(m->from.parent, m->from.name, &m->old);

    if (err != 0)
        return err;
    err = path_step_locked(m->to.parent, m->to.name, &m->victim);
    if (err != 0 && err != -ENOENT)
        return err;
    if (err == 0 && (m->flags & RENAME_NOREPLACE) != 0)
        return -EEXIST;
    bool is_dir = S_ISDIR(m->old->inode->mode);
    if (!is_dir && (m->from.slash || m->to.slash))
        return -ENOTDIR;
    if (dentry_is_ancestor(m->old, m->to.parent))
        return -EINVAL;
    if (m->victim != NULL && dentry_is_ancestor(m->victim, m->from.parent))
        return -ENOTEMPTY;
    if (m->victim != NULL && m->victim->inode == m->old->inode)
        return 1;
    err = may_delete(m->from.parent->inode, m->old, is_dir);
    if (err != 0)
        return err;
    if (m->to.parent->inode->nlink == 0)
        return -ENOENT;
    if (m->victim != NULL)
        err = may_delete(m->to.parent->inode, m->victim, is_dir);
    else
        err = inode_permission(m->to.parent->inode, W_OK | X_OK);
    if (err == 0 && is_dir && m->from.parent != m->to.parent)
        err = inode_permission(m->old->inode, W_OK); /* its ".." changes */
    return err;
}

/* The file system's part and the times. */
static int
move_on_disk(struct move *m)
{
    struct inode *i = m->old->inode, *victim = m->victim != NULL ? m->victim->inode : NULL;
    struct rename r = {
        .old_dir = m->from.parent->inode,
        .new_dir = m->to.parent->inode,
        .old_name = m->from.name,
        .new_name = m->to.name,
        .inode = i,
        .victim = victim,
    };

    if (r.old_dir->ops->rename == NULL)
        return -EPERM;

    /*
     * Two directories here are neither's ancestor.  Somebody who renames from one to the other
     * locks them by address: so must we.
     */
    struct inode *first = victim, *second = S_ISDIR(i->mode) ? i : NULL;
    if (first != NULL && second != NULL && second < first) {
        first = i;
        second = victim;
    }
    if (first != NULL)
        mutex_lock_nested(&first->lock);
    if (second != NULL)
        mutex_lock_nested(&second->lock);
    int err = r.old_dir->ops->rename(&r);
    if (err == 0) {
        inode_touch(r.old_dir, INODE_MTIME | INODE_CTIME);
        inode_touch(r.new_dir, INODE_MTIME | INODE_CTIME);
        inode_touch(i, INODE_CTIME);
        if (victim != NULL)
            inode_touch(victim, INODE_CTIME);
    }
    if (second != NULL)
        mutex_unlock(&second->lock);
    if (first != NULL)
        mutex_unlock(&first->lock);
    return err;
}

static int
move_locked(struct move *m, char **spare, struct dentry **old_parent)
{
    int err = move_check(m);

    if (err != 0)
        return err < 0 ? err : 0;
    err = move_on_disk(m);
    if (err != 0)
        return err;
    if (m->victim != NULL)
        dentry_remove(m->victim);
    *old_parent = dentry_rename(m->old, m->to.parent, m->to.name, spare);
    return 0;
}

static int
move_names(struct move *m)
{
    struct dentry *old_parent = NULL;
    char *spare;
    int err = dentry_rename_prepare(m->to.name, &spare);

    if (err != 0)
        return err;
    move_lock(m);
    err = move_locked(m, &spare, &old_parent);
    bool gone = old_parent != NULL && m->victim != NULL && m->victim->inode->nlink == 0;
    move_unlock(m);
    kfree(spare);
    if (gone)
        inode_forget(m->victim->inode);
    dentry_put(old_parent);
    dentry_put(m->victim);
    dentry_put(m->old);
    return err;
}

int
path_rename(int olddirfd, vaddr_t uold, int newdirfd, vaddr_t unew, unsigned flags)
{
    struct move m = {.flags = flags};

    if ((flags & ~RENAME_NOREPLACE) != 0)
        return -EINVAL;
    int err = path_parent_user(olddirfd, uold, &m.from);
    if (err != 0)
        return err;
    err = path_parent_user(newdirfd, unew, &m.to);
    if (err != 0) {
        path_last_free(&m.from);
        return err;
    }
    if (m.from.parent->super != m.to.parent->super)
        err = -EXDEV;
    else if (!is_name(&m.from))
        err = -EBUSY;
    else if (!is_name(&m.to))
        err = (flags & RENAME_NOREPLACE) != 0 ? -EEXIST : -EBUSY;
    else
        err = move_names(&m);
    path_last_free(&m.from);
    path_last_free(&m.to);
    return err;
}
