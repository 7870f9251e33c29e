/*
 * file_name.c - names and directories: making, removing, moving and listing them,
 * and where one stands.
 *
 * Most of the work is in fs/path_ops.c; here are the calls' many forms.
 */
#include "kernel/sys/file.h"

#include "kernel/abi/dirent.h"
#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/kmalloc.h"

/* Makes @d the working directory, whose reference it takes, if one may stand there. */
static int
set_cwd(struct dentry *d)
{
    struct fs_context *c = current_thread()->fs;
    int err = !S_ISDIR(d->inode->mode) ? -ENOTDIR : inode_permission(d->inode, X_OK);

    if (err == 0) {
        spin_lock(&c->lock);
        struct dentry *old = c->cwd;
        c->cwd = d;
        spin_unlock(&c->lock);
        d = old;
    }
    dentry_put(d);
    return err;
}

int64_t
sys_chdir(const uint64_t a[6])
{
    struct dentry *d;
    int err = path_walk_user(AT_FDCWD, a[0], PATH_FOLLOW | PATH_DIRECTORY, &d);

    return err != 0 ? err : set_cwd(d);
}

int64_t
sys_fchdir(const uint64_t a[6])
{
    struct file *f = fd_get((int)a[0]);
    int err = -ENOTDIR;

    if (f == NULL)
        return -EBADF;
    if (f->dentry != NULL) {
        dentry_get(f->dentry);
        err = set_cwd(f->dentry);
    }
    file_put(f);
    return err;
}

int64_t
sys_getcwd(const uint64_t a[6])
{
    char *buf = kmalloc(PATH_MAX);
    bool deleted;

    if (buf == NULL)
        return -ENOMEM;
    struct dentry *cwd = fs_cwd(), *root = fs_root();
    int64_t n = dentry_path(cwd, root, buf, PATH_MAX, &deleted);
    dentry_put(cwd);
    dentry_put(root);
    if (n < 0)
        n = -ENAMETOOLONG;
    else if (deleted)
        n = -ENOENT;
    else if ((uint64_t)n + 1 > a[1])
        n = -ERANGE;
    else
        n = copy_to_user(a[0], buf, (size_t)n + 1) != 0 ? -EFAULT : n + 1;
    kfree(buf);
    return n;
}

int64_t
sys_umask(const uint64_t a[6])
{
    struct fs_context *c = current_thread()->fs;

    spin_lock(&c->lock);
    mode_t old = c->umask;
    c->umask = (mode_t)a[0] & S_IRWXUGO;
    spin_unlock(&c->lock);
    return old;
}

int64_t
sys_mkdir(const uint64_t a[6])
{
    return path_mkdir(AT_FDCWD, a[0], (mode_t)a[1]);
}

int64_t
sys_mkdirat(const uint64_t a[6])
{
    return path_mkdir((int)a[0], a[1], (mode_t)a[2]);
}

/* The argument is 32 bits wide and encoded as Linux's new_encode_dev. */
int64_t
sys_mknod(const uint64_t a[6])
{
    return path_mknod(AT_FDCWD, a[0], (mode_t)a[1], (uint32_t)a[2]);
}

int64_t
sys_mknodat(const uint64_t a[6])
{
    return path_mknod((int)a[0], a[1], (mode_t)a[2], (uint32_t)a[3]);
}

int64_t
sys_rmdir(const uint64_t a[6])
{
    return path_remove(AT_FDCWD, a[0], true);
}

int64_t
sys_unlink(const uint64_t a[6])
{
    return path_remove(AT_FDCWD, a[0], false);
}

int64_t
sys_unlinkat(const uint64_t a[6])
{
    unsigned flags = (unsigned)a[2];

    if ((flags & ~AT_REMOVEDIR) != 0)
        return -EINVAL;
    return path_remove((int)a[0], a[1], flags != 0);
}

int64_t
sys_link(const uint64_t a[6])
{
    return path_link(AT_FDCWD, a[0], AT_FDCWD, a[1], 0);
}

int64_t
sys_linkat(const uint64_t a[6])
{
    return path_link((int)a[0], a[1], (int)a[2], a[3], (unsigned)a[4]);
}

int64_t
sys_symlink(const uint64_t a[6])
{
    return path_symlink(a[0], AT_FDCWD, a[1]);
}

int64_t
sys_symlinkat(const uint64_t a[6])
{
    return path_symlink(a[0], (int)a[1], a[2]);
}

int64_t
sys_rename(const uint64_t a[6])
{
    return path_rename(AT_FDCWD, a[0], AT_FDCWD, a[1], 0);
}

int64_t
sys_renameat(const uint64_t a[6])
{
    return path_rename((int)a[0], a[1], (int)a[2], a[3], 0);
}

int64_t
sys_renameat2(const uint64_t a[6])
{
    return path_rename((int)a[0], a[1], (int)a[2], a[3], (unsigned)a[4]);
}

/* The target of an inode, cut to @size. */
static int64_t
read_target(struct inode *i, vaddr_t ubuf, size_t size)
{
    if (!S_ISLNK(i->mode) || i->ops->readlink == NULL)
        return -EINVAL;
    char *buf = kmalloc(PATH_MAX);
    if (buf == NULL)
        return -ENOMEM;
    int64_t n = i->ops->readlink(i, buf, MIN(size, PATH_MAX));
    if (n >= 0) {
        inode_touch(i, INODE_ATIME);
        if (copy_to_user(ubuf, buf, (size_t)n) != 0)
            n = -EFAULT;
    }
    kfree(buf);
    return n;
}

static int64_t
readlink_at(int dirfd, vaddr_t upath, vaddr_t ubuf, int size)
{
    struct dentry *d;
    char first;

    if (size <= 0)
        return -EINVAL;
    int err = path_walk_user(dirfd, upath, PATH_EMPTY, &d);
    if (err != 0)
        return err;
    int64_t n = read_target(d->inode, ubuf, (size_t)size);
    if (n == -EINVAL && copy_from_user(&first, upath, 1) == 0 && first == '\0')
        n = -ENOENT; /* "" names the descriptor, which is no link */
    dentry_put(d);
    return n;
}

int64_t
sys_readlink(const uint64_t a[6])
{
    return readlink_at(AT_FDCWD, a[0], a[1], (int)a[2]);
}

int64_t
sys_readlinkat(const uint64_t a[6])
{
    return readlink_at((int)a[0], a[1], a[2], (int)a[3]);
}

/*
 * Where the records of getdents are gathered, before they are copied out with nothing locked.
 */
struct dents {
    char *buf;
    size_t used, size;
    bool old_form; /* getdents: the type is the record's last byte */
    bool too_small;
};

static bool
emit_dent(void *ctx, const char *name, size_t len, ino_t ino, unsigned type, uint64_t next)
{
    struct dents *d = ctx;
    size_t head = d->old_form ? offsetof(struct abi_dirent, d_name)
                              : offsetof(struct abi_dirent64, d_name);
    size_t size = ROUND_UP(head + len + (d->old_form ? 2 : 1), 8);

    if (size > d->size - d->used) {
        d->too_small = d->used == 0;
        return false;
    }
    char *at = d->buf + d->used;
    memset(at, 0, size); /* nothing of the kernel's in the gaps */
    if (d->old_form) {
        struct abi_dirent *e = (struct abi_dirent *)at;
        e->d_ino = ino;
        e->d_off = (int64_t)next;
        e->d_reclen = (uint16_t)size;
        at[size - 1] = (char)type;
    } else {
        struct abi_dirent64 *e = (struct abi_dirent64 *)at;
        e->d_ino = ino;
        e->d_off = (int64_t)next;
        e->d_reclen = (uint16_t)size;
        e->d_type = (uint8_t)type;
    }
    memcpy(at + head, name, len);
    d->used += size;
    return true;
}

/* Fills @d from the file's offset on and copies it out. offset_lock held. */
static int64_t
list_directory(struct file *f, struct dents *d, vaddr_t ubuf)
{
    struct inode *dir = f->inode;
    uint64_t pos = (uint64_t)f->offset;

    mutex_lock(&dir->lock);
    int err = dir->nlink == 0 ? -ENOENT : dir->ops->getdents(dir, &pos, emit_dent, d);
    mutex_unlock(&dir->lock);
    if (err == 0 && d->too_small)
        err = -EINVAL;
    if (err == 0 && copy_to_user(ubuf, d->buf, d->used) != 0)
        err = -EFAULT;
    if (err != 0)
        return err;
    f->offset = (off_t)pos;
    inode_touch(dir, INODE_ATIME);
    return (int64_t)d->used;
}

static int64_t
get_dents(int fd, vaddr_t ubuf, size_t size, bool old_form)
{
    struct file *f = fd_get(fd);
    int64_t n;

    if (f == NULL)
        return -EBADF;
    struct dents d = {.size = MIN(size, PAGE_SIZE), .old_form = old_form};
    if (!file_readable(f))
        n = -EBADF;
    else if (!S_ISDIR(f->inode->mode) || f->inode->ops->getdents == NULL)
        n = -ENOTDIR;
    else if ((d.buf = kmalloc(PAGE_SIZE)) == NULL)
        n = -ENOMEM;
    else {
        mutex_lock(&f->offset_lock);
        n = list_directory(f, &d, ubuf);
        mutex_unlock(&f->offset_lock);
    }
    kfree(d.buf);
    file_put(f);
    return n;
}

int64_t
sys_getdents(const uint64_t a[6])
{
    return get_dents((int)a[0], a[1], (unsigned)a[2], true);
}

int64_t
sys_getdents64(const uint64_t a[6])
{
    return get_dents((int)a[0], a[1], (unsigned)a[2], false);
}
