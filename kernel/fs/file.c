/*
 * file.c - open files: making, closing, and what does not depend on the kind of file.
 *
 * An open file holds its inode and the name it was opened by.  Reading and writing go through
 * its file_ops; here the access mode is checked and the offset kept.
 */
#include "kernel/fs/file.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/signal.h"
#include "kernel/arch/cpu.h"
#include "kernel/fs/flock.h"
#include "kernel/fs/path.h"
#include "kernel/fs/super.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/thread.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

static uint64_t files_alive;
static void (*signal_hook)(int sig);

void
fs_set_signal_hook(void (*hook)(int sig))
{
    signal_hook = hook;
}

void
fs_raise(int sig)
{
    if (signal_hook != NULL)
        signal_hook(sig);
}

uint64_t
file_count(void)
{
    return __atomic_load_n(&files_alive, __ATOMIC_RELAXED);
}

/* A regular file is written to by some, or executed by some: @f joins one side, or -ETXTBSY. */
static int
join_writers(struct file *f, int8_t by)
{
    int now = READ_ONCE(f->inode->writers);

    if (!S_ISREG(f->inode->mode) || f->writers != 0)
        return 0;
    do {
        if (now * by < 0)
            return -ETXTBSY;
    } while (!__atomic_compare_exchange_n(&f->inode->writers, &now, now + by, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    f->writers = by;
    return 0;
}

/* Nobody is charged for open files, so there is an end to them: one for two frames of RAM. */
static bool
too_many_files(void)
{
    struct frame_stats st;

    frame_get_stats(&st);
    return file_count() >= st.total / 2;
}

int
file_new(struct inode *inode, struct dentry *dentry, unsigned flags, struct file **out)
{
    int err = 0;

    if (too_many_files())
        return -ENFILE;

    struct file *f = kzalloc(sizeof(*f));

    if (f == NULL)
        return -ENOMEM;
    f->refs = 1;
    f->flags = flags;
    mutex_init(&f->offset_lock, "offset");
    f->inode = inode;
    f->dentry = dentry;
    f->fops = inode->fops;
    inode_get(inode);
    if (dentry != NULL)
        dentry_get(dentry);
    __atomic_add_fetch(&files_alive, 1, __ATOMIC_RELAXED);
    if ((flags & O_PATH) == 0) {
        if (f->fops == NULL)
            err = -ENXIO;
        else if (file_writable(f) && (err = join_writers(f, 1)) != 0)
            ; /* a running program */
        else if (f->fops->open != NULL)
            err = f->fops->open(f);
    }
    if (err != 0) {
        f->fops = NULL; /* it was not opened: nothing to release */
        file_put(f);
        return err;
    }
    f->flags = flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
    f->stream = (flags & O_PATH) == 0 && f->fops->seek == NULL;
    *out = f;
    return 0;
}

void
file_set_flags(struct file *f, uint32_t mask, uint32_t flags)
{
    uint32_t now = READ_ONCE(f->flags);

    while (!__atomic_compare_exchange_n(&f->flags, &now, (now & ~mask) | (flags & mask), false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void
file_get(struct file *f)
{
    __atomic_add_fetch(&f->refs, 1, __ATOMIC_RELAXED);
}

void
file_put(struct file *f)
{
    if (f == NULL || __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (f->flocked)
        flock_release(f);
    if (f->fops != NULL && (f->flags & O_PATH) == 0 && f->fops->release != NULL)
        f->fops->release(f);
    __atomic_sub_fetch(&f->inode->writers, f->writers, __ATOMIC_ACQ_REL);
    dentry_put(f->dentry);
    inode_put(f->inode);
    kfree(f);
    __atomic_sub_fetch(&files_alive, 1, __ATOMIC_RELAXED);
}

int
file_check_exec(struct file *f)
{
    if (!S_ISREG(f->inode->mode))
        return -EACCES;
    return inode_permission(f->inode, X_OK) == 0 ? join_writers(f, -1) : -EACCES;
}

/* No byte lies beyond the largest offset. */
static bool
runs_over(off_t pos, size_t n)
{
    off_t end;

    return __builtin_add_overflow(pos, n, &end);
}

ssize_t
file_read(struct file *f, struct uio *u, off_t *pos)
{
    off_t none = 0;

    if (!file_readable(f))
        return -EBADF;
    if (S_ISDIR(f->inode->mode))
        return -EISDIR;
    if (f->fops->read == NULL)
        return -EINVAL;
    if (u->left == 0)
        return 0;
    if (f->stream)
        return pos != NULL ? -ESPIPE : f->fops->read(f, u, &none);
    if (pos != NULL)
        return runs_over(*pos, u->left) ? -EINVAL : f->fops->read(f, u, pos);
    mutex_lock(&f->offset_lock);
    ssize_t n = runs_over(f->offset, u->left) ? -EINVAL : f->fops->read(f, u, &f->offset);
    mutex_unlock(&f->offset_lock);
    return n;
}

ssize_t
file_write(struct file *f, struct uio *u, off_t *pos)
{
    off_t none = 0;
    ssize_t n;

    if (!file_writable(f))
        return -EBADF;
    if (f->fops->write == NULL)
        return -EINVAL;
    if (u->left == 0)
        return 0;
    if (f->stream) {
        n = pos != NULL ? -ESPIPE : f->fops->write(f, u, &none);
        if (n == -EPIPE)
            fs_raise(SIGPIPE);
        return n;
    }
    if (pos != NULL) {
        n = runs_over(*pos, u->left) ? -EINVAL : f->fops->write(f, u, pos);
    } else {
        mutex_lock(&f->offset_lock);
        n = runs_over(f->offset, u->left) ? -EINVAL : f->fops->write(f, u, &f->offset);
        mutex_unlock(&f->offset_lock);
    }
    if (n > 0 && (f->flags & (O_SYNC | O_DSYNC)) != 0 && S_ISREG(f->inode->mode)) {
        int err = inode_sync(f->inode);
        if (err != 0)
            n = err;
    }
    return n;
}

ssize_t
file_write_kernel(struct file *f, const void *buf, size_t n)
{
    struct iovec iov;
    struct uio u;

    uio_init_kernel(&u, &iov, (void *)(uintptr_t)buf, n);
    return file_write(f, &u, NULL);
}

off_t
file_seek(struct file *f, off_t off, int whence)
{
    if ((f->flags & O_PATH) != 0)
        return -EBADF;
    if (f->fops->seek == NULL)
        return -ESPIPE;
    if (whence < SEEK_SET || whence > SEEK_HOLE)
        return -EINVAL;
    mutex_lock(&f->offset_lock);
    off_t at = f->fops->seek(f, off, whence);
    if (at >= 0)
        f->offset = at;
    mutex_unlock(&f->offset_lock);
    return at;
}

unsigned
file_poll(struct file *f, struct poll_table *t)
{
    if ((f->flags & O_PATH) != 0)
        return POLLNVAL;
    if (f->fops->poll == NULL)
        return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
    return f->fops->poll(f, t);
}

int
file_mmap_object(struct file *f, bool shared, bool write, uint64_t length, struct object **out)
{
    if ((f->flags & O_PATH) != 0)
        return -EBADF;
    if (!file_readable(f) || (shared && write && !file_writable(f)))
        return -EACCES;
    if (f->fops->mmap == NULL)
        return -ENODEV;
    return f->fops->mmap(f, shared, length, out);
}

size_t
file_path(struct file *f, char *buf, size_t size)
{
    bool deleted;

    if (size == 0)
        return 0;
    if (f->dentry == NULL) {
        int n = snprintf(buf, size, "%s:[%lu]",
                         S_ISFIFO(f->inode->mode) ? "pipe" : "anon_inode", f->inode->ino);
        return MIN((size_t)n, size - 1);
    }
    ssize_t n = dentry_path(f->dentry, NULL, buf, size, &deleted);
    if (n < 0)
        return strlcpy(buf, "", size);
    if (deleted && (size_t)n + sizeof(" (deleted)") <= size) {
        memcpy(buf + n, " (deleted)", sizeof(" (deleted)"));
        n += (ssize_t)sizeof(" (deleted)") - 1;
    }
    return (size_t)n;
}

size_t
inode_path(struct inode *i, char *buf, size_t size)
{
    struct dentry *d = dentry_of_inode(i);
    struct file f = {.dentry = d, .inode = i};
    size_t n = file_path(&f, buf, size);

    dentry_put(d);
    return n;
}
