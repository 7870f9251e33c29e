/*
 * file_size.c - how long files are and when they reach the disk:
 * truncate, fallocate, fsync, sync.
 */
#include "kernel/sys/file.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/signal.h"
#include "kernel/arch/cpu.h"
#include "kernel/fs/bdev.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/fs/super.h"
#include "kernel/lib/restart.h"
#include "kernel/sched/thread.h"

int64_t
sys_truncate(const uint64_t a[6])
{
    int64_t size = (int64_t)a[1];
    struct dentry *d;
    struct file *f;

    if (size < 0)
        return -EINVAL;
    int err = path_walk_user(AT_FDCWD, a[0], PATH_FOLLOW, &d);
    if (err != 0)
        return err;
    if (S_ISDIR(d->inode->mode))
        err = -EISDIR;
    else if (!S_ISREG(d->inode->mode))
        err = -EINVAL;
    else
        err = inode_permission(d->inode, W_OK);
    if (err == 0)
        err = file_new(d->inode, d, O_WRONLY, &f); /* so that nobody begins to execute it */
    dentry_put(d);
    if (err == 0) {
        err = inode_truncate(f->inode, (uint64_t)size);
        file_put(f);
    }
    return err;
}

int64_t
sys_ftruncate(const uint64_t a[6])
{
    int64_t size = (int64_t)a[1];
    struct file *f;
    int err;

    if (size < 0)
        return -EINVAL;
    f = fd_get((int)a[0]);
    if (f == NULL)
        return -EBADF;
    if ((f->flags & O_PATH) != 0)
        err = -EBADF;
    else if (!S_ISREG(f->inode->mode) || !file_writable(f))
        err = -EINVAL;
    else
        err = inode_truncate(f->inode, (uint64_t)size);
    file_put(f);
    return err;
}

/*
 * Gives page @index its place. Its bytes come first: a place on the disk holds
 * old ones. I held.
 */
static int
allocate_page(struct object *o, pgidx_t index)
{
    struct frame *f;
    int err = object_get_page(o, index, false, &f);

    if (err != 0)
        return err;
    if (o->ops->prepare_write != NULL)
        err = o->ops->prepare_write(o, index);
    object_put_page(o, f, err == 0);
    return err;
}

/* I held. */
static int
allocate(struct inode *i, uint64_t start, uint64_t end)
{
    int err = 0;

    for (pgidx_t n = start >> PAGE_SHIFT; n < page_ceil(end) >> PAGE_SHIFT && err == 0; n++)
        err = current_thread()->interrupted ? -EINTR : allocate_page(&i->object, n);
    return err;
}

static int
allocate_file(struct file *f, unsigned mode, int64_t start, int64_t len)
{
    struct inode *i = f->inode;
    uint64_t max = i->super->max_size != 0 ? i->super->max_size : (uint64_t)INT64_MAX;
    int64_t end;

    if ((mode & ~(unsigned)FALLOC_FL_KEEP_SIZE) != 0)
        return -EOPNOTSUPP;
    if (!file_writable(f))
        return -EBADF;
    if (!S_ISREG(i->mode))
        return S_ISFIFO(i->mode) ? -ESPIPE : S_ISDIR(i->mode) ? -EISDIR : -ENODEV;
    if (__builtin_add_overflow(start, len, &end) || (uint64_t)end > max)
        return -EFBIG;
    mutex_lock(&i->lock);
    bool too_long = (uint64_t)end > i->object.size && (uint64_t)end > files_size_limit() &&
                    (mode & FALLOC_FL_KEEP_SIZE) == 0;
    int err = too_long ? -EFBIG : allocate(i, (uint64_t)start, (uint64_t)end);
    if (err == 0 && (mode & FALLOC_FL_KEEP_SIZE) == 0 && (uint64_t)end > i->object.size)
        object_resize(&i->object, (uint64_t)end);
    if (err == 0)
        inode_touch(i, INODE_MTIME | INODE_CTIME);
    mutex_unlock(&i->lock);
    if (too_long)
        fs_raise(SIGXFSZ);
    return err;
}

int64_t
sys_fallocate(const uint64_t a[6])
{
    int64_t start = (int64_t)a[2], len = (int64_t)a[3];
    struct file *f = fd_get((int)a[0]);

    if (f == NULL)
        return -EBADF;
    int err = start < 0 || len <= 0 ? -EINVAL : allocate_file(f, (unsigned)a[1], start, len);
    file_put(f);
    return err;
}

/* SIMPLE: fdatasync writes the times too. */
int64_t
sys_fsync(const uint64_t a[6])
{
    struct file *f = fd_get((int)a[0]);
    int err;

    if (f == NULL)
        return -EBADF;
    struct inode *i = f->inode;
    if ((f->flags & O_PATH) != 0) {
        err = -EBADF;
    } else if (S_ISBLK(i->mode)) {
        struct block_device *dev = bdev_of_number(i->rdev);
        err = dev != NULL ? bdev_sync(dev) : -EIO;
    } else if (S_ISREG(i->mode) || S_ISDIR(i->mode)) {
        err = inode_sync(i);
    } else {
        err = -EINVAL;
    }
    file_put(f);
    return err;
}

int64_t
sys_fdatasync(const uint64_t a[6])
{
    return sys_fsync(a);
}

int64_t
sys_sync(const uint64_t a[6] UNUSED)
{
    (void)!fs_sync_all(); /* it tells no errors; the next fsync does */
    return 0;
}

int64_t
sys_syncfs(const uint64_t a[6])
{
    struct file *f = fd_get((int)a[0]);

    if (f == NULL)
        return -EBADF;
    int err = fs_sync_super(f->inode->super, false);
    file_put(f);
    return err;
}

/* Advice; we take POSIX_FADV_DONTNEED alone, for the pages that lie wholly in the range. */
int64_t
sys_fadvise64(const uint64_t a[6])
{
    struct file *f = fd_get((int)a[0]);
    uint64_t end = a[2] == 0 || a[1] + a[2] < a[1] ? UINT64_MAX : a[1] + a[2];

    if (f == NULL)
        return -EBADF;
    int err = S_ISFIFO(f->inode->mode) ? -ESPIPE : (int)a[3] < 0 || (int)a[3] > 5 ? -EINVAL : 0;
    if ((int64_t)a[2] < 0)
        err = -EINVAL;
    if (err == 0 && (int)a[3] == POSIX_FADV_DONTNEED && S_ISREG(f->inode->mode))
        object_drop_clean(&f->inode->object, a[1] / PAGE_SIZE + (a[1] % PAGE_SIZE != 0),
                          end / PAGE_SIZE);
    file_put(f);
    return err;
}
