/*
 * file_open.c - open(): from a path and flags to an open file.
 *
 * With O_CREAT the last name is looked at apart: if it is there it is opened, if not it is
 * made, and if somebody else makes it at the same moment we look again.
 */
#include "kernel/fs/file.h"

#include "kernel/abi/errno.h"
#include "kernel/fs/path.h"
#include "kernel/fs/super.h"
#include "mm/kmalloc.h"

/* What the access mode and flags ask of the permission bits. */
static unsigned
wanted_access(unsigned flags)
{
    static const unsigned by_mode[4] = {R_OK, W_OK, R_OK | W_OK, R_OK | W_OK};
    unsigned want = by_mode[flags & O_ACCMODE];

    return (flags & O_TRUNC) != 0 ? want | W_OK : want;
}

/* Checks of open() on something that was there before. */
static int
may_open(struct inode *i, unsigned flags)
{
    unsigned want = wanted_access(flags);

    if (S_ISLNK(i->mode))
        return -ELOOP;
    if (S_ISDIR(i->mode) && (want & W_OK) != 0)
        return -EISDIR;
    int err = inode_permission(i, want);
    if (err != 0)
        return err;
    if ((flags & O_NOATIME) != 0 && !inode_owner_or_root(i))
        return -EPERM;
    return 0;
}

int
file_open_dentry(struct dentry *d, unsigned flags, struct file **out)
{
    struct inode *i = d->inode;

    if ((flags & O_PATH) != 0)
        return file_new(i, d, flags, out);
    int err = may_open(i, flags);
    if (err == 0)
        err = file_new(i, d, flags, out);
    if (err != 0 || (flags & O_TRUNC) == 0 || !S_ISREG(i->mode))
        return err;
    err = inode_truncate(i, 0);
    if (err != 0)
        file_put(*out);
    return err;
}

/* The last name is not there: make it. -EEXIST: now it is. */
static int
create_last(struct path_last *l, unsigned flags, mode_t mode, struct file **out)
{
    struct make make = {.mode = S_IFREG | (mode & S_IALLUGO & ~fs_umask())};
    struct dentry *d;
    int err = path_make(l, &make, &d);

    if (err != 0)
        return err;
    /* Its own mode does not bind the one who makes it. */
    err = file_new(d->inode, d, flags, out);
    dentry_put(d);
    return err;
}

/* Opens or makes the last name. 1: it was a link, or has changed: go round again. */
static int
open_last(struct path_last *l, unsigned flags, mode_t mode, struct file **out)
{
    struct dentry *d;

    if (l->name[0] == '\0' || l->dot || l->dotdot)
        return (flags & O_EXCL) != 0 ? -EEXIST : -EISDIR;
    if (l->slash)
        return -EISDIR;
    int err = path_step(l->parent, l->name, &d);
    if (err == -ENOENT) {
        err = create_last(l, flags, mode, out);
        return err == -EEXIST && (flags & O_EXCL) == 0 ? 1 : err;
    }
    if (err != 0)
        return err;
    if ((flags & O_EXCL) != 0) {
        err = -EEXIST;
    } else if (!S_ISLNK(d->inode->mode)) {
        err = S_ISDIR(d->inode->mode) ? -EISDIR : file_open_dentry(d, flags, out);
    } else if ((flags & O_NOFOLLOW) != 0) {
        err = -ELOOP;
    } else if (d->inode->ops->follow != NULL) {
        struct dentry *to;
        err = d->inode->ops->follow(d->inode, &to);
        if (err == 0) {
            err = S_ISDIR(to->inode->mode) ? -EISDIR : file_open_dentry(to, flags, out);
            dentry_put(to);
        }
    } else {
        err = path_last_follow(l, d);
        /* On failure path_last_follow leaves l to be freed by the caller. */
        err = err == 0 ? 1 : err;
    }
    dentry_put(d);
    return err;
}

static int
open_creating(struct path_last *l, unsigned flags, mode_t mode, struct file **out)
{
    int err;

    do {
        err = open_last(l, flags, mode, out);
    } while (err == 1);
    path_last_free(l);
    dentry_trim();
    return err;
}

static unsigned
walk_flags(unsigned flags)
{
    unsigned how = (flags & O_NOFOLLOW) != 0 ? 0 : PATH_FOLLOW;

    return (flags & O_DIRECTORY) != 0 ? how | PATH_DIRECTORY : how;
}

/* Flags that make no sense together. */
static int
check_flags(unsigned *flags)
{
    if ((*flags & O_PATH) != 0)
        *flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if ((*flags & O_TMPFILE) == O_TMPFILE)
        return -EOPNOTSUPP;
    if ((*flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
        return -EINVAL;
    return 0;
}

static int
open_existing(struct dentry *d, unsigned flags, struct file **out)
{
    int err = file_open_dentry(d, flags, out);

    dentry_put(d);
    return err;
}

int
file_open_path(const char *path, struct file **out)
{
    struct dentry *d;
    int err = path_walk(AT_FDCWD, path, PATH_FOLLOW, &d);

    return err != 0 ? err : open_existing(d, O_RDONLY, out);
}

int
file_replace_path(const char *path, mode_t mode, struct file **out)
{
    struct path_last l;
    int err = path_parent(AT_FDCWD, path, &l);

    if (err != 0)
        return err;
    err = path_unlink_last(&l);
    if (err != 0 && err != -ENOENT) {
        path_last_free(&l);
        return err;
    }
    return open_creating(&l, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode, out);
}

int
file_openat(int dirfd, vaddr_t upath, unsigned flags, mode_t mode, struct file **out)
{
    struct path_last l;
    struct dentry *d;
    int err = check_flags(&flags);

    if (err != 0)
        return err;
    if ((flags & O_CREAT) != 0) {
        err = path_parent_user(dirfd, upath, &l);
        return err != 0 ? err : open_creating(&l, flags, mode, out);
    }
    err = path_walk_user(dirfd, upath, walk_flags(flags), &d);
    return err != 0 ? err : open_existing(d, flags, out);
}

int
file_open_at(int dirfd, const char *path, unsigned flags, struct file **out)
{
    struct dentry *d;
    int err = path_walk(dirfd, path, path_flags(flags), &d);

    if (err != 0)
        return err;
    if (S_ISLNK(d->inode->mode))
        err = -ELOOP;
    else if (!S_ISREG(d->inode->mode))
        err = -EACCES;
    else
        err = inode_permission(d->inode, X_OK);
    if (err == 0) /* executing needs no read permission */
        err = file_new(d->inode, d, O_RDONLY, out);
    dentry_put(d);
    return err;
}
