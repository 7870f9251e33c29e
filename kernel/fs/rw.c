/*
 * rw.c - reading and writing files through the pages of their objects.
 *
 * User memory is touched with no lock held, because touching it may fault, and the fault may
 * need this very file.  So a read pins a page and copies from it unlocked; a write first copies
 * a page's worth into a bounce buffer, and takes the inode lock only to move it into the
 * object.
 *
 * SIMPLE: a write of more than a page is not atomic against another one, as it is on Linux;
 * each page's worth is, and where an O_APPEND write goes is decided under the lock, for each
 * page's worth.
 */
#include "kernel/fs/file.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/signal.h"
#include "kernel/arch/cpu.h"
#include "kernel/fs/super.h"
#include "kernel/lib/string.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"

/* Writes stop here. */
static uint64_t
max_size(const struct inode *i)
{
    return i->super->max_size != 0 ? i->super->max_size : (uint64_t)INT64_MAX;
}

/* Where writes of the current thread end: the file system's limit or the process's. */
static uint64_t
write_end(const struct inode *i)
{
    return S_ISREG(i->mode) ? MIN(max_size(i), files_size_limit()) : max_size(i);
}

/* A page of memory that was never written: reading it must not make it. */
static bool
is_shm_hole(struct object *o, pgidx_t index)
{
    if (o->kind != OBJECT_SHM)
        return false;
    mutex_lock(&vm_lock);
    bool hole = radix_get(&o->pages, index) == NULL;
    mutex_unlock(&vm_lock);
    return hole;
}

/*
 * Between two pages: others get their turn, and who is to end reads or writes no more for itself.
 * What the kernel does in its name (a core, a program to be loaded) is done whole.
 */
static bool
interrupted_for_good(const struct uio *u)
{
    return !sched_go_on() && !u->kernel;
}

/* Reads what one page has of it. */
static int
read_page(struct object *o, struct uio *u, uint64_t pos, size_t n)
{
    size_t in = pos & PAGE_MASK;
    struct frame *f;

    if (is_shm_hole(o, pos >> PAGE_SHIFT))
        return uio_put(u, frame_data(frame_zero), n);
    int err = object_get_page(o, pos >> PAGE_SHIFT, false, &f);
    if (err != 0)
        return err;
    err = uio_put(u, (char *)frame_data(f) + in, n);
    object_put_page(o, f, false);
    return err;
}

ssize_t
inode_read_uio(struct inode *i, struct uio *u, off_t *pos)
{
    size_t start = u->left;
    int err = 0;

    while (u->left > 0 && err == 0) {
        uint64_t size = inode_size(i), at = (uint64_t)*pos;
        if (at >= size || interrupted_for_good(u))
            break;
        size_t before = u->left;
        size_t n = MIN(MIN(PAGE_SIZE - (at & PAGE_MASK), size - at), u->left);
        err = read_page(&i->object, u, at, n);
        *pos += (off_t)(before - u->left);
    }
    if (start != u->left)
        return (ssize_t)(start - u->left);
    return err;
}

/* Writes @n bytes that lie in one page. Inode lock held. */
static int
write_page(struct inode *i, const char *src, size_t n, uint64_t pos)
{
    struct object *o = &i->object;
    size_t in = pos & PAGE_MASK;
    struct frame *f;

    /*
     * The file has nothing of this page yet, so there is nothing to read.  Where it has, the page
     * is read even if all of it is written: others see it before the bytes are in it, and there
     * were no zeros.
     */
    bool fresh = page_floor(pos) >= o->size;
    if (o->ops->prepare_write != NULL) {
        int err = o->ops->prepare_write(o, pos >> PAGE_SHIFT);
        if (err != 0)
            return err;
    }
    int err = object_get_page(o, pos >> PAGE_SHIFT, fresh, &f);
    if (err != 0)
        return err;
    memcpy((char *)frame_data(f) + in, src, n);
    object_put_page(o, f, true);
    if (pos + n > o->size)
        object_resize(o, pos + n);
    return 0;
}

/* Writes @n <= PAGE_SIZE bytes, across two pages maybe. Inode lock held. Returns how many. */
static ssize_t
write_chunk(struct inode *i, const char *src, size_t n, uint64_t pos)
{
    size_t done = 0;
    int err = 0;

    uint64_t end_of_all = write_end(i);

    if (pos >= end_of_all)
        return -EFBIG;
    n = MIN(n, end_of_all - pos);
    while (done < n && err == 0) {
        size_t m = MIN(PAGE_SIZE - ((pos + done) & PAGE_MASK), n - done);
        err = write_page(i, src + done, m, pos + done);
        if (err == 0)
            done += m;
    }
    return done > 0 ? (ssize_t)done : err;
}

/* A write by another than root takes the set-ID bits away. */
static void
drop_setid(struct inode *i)
{
    const struct cred *c = current_thread()->cred;

    if ((i->mode & (S_ISUID | S_ISGID)) == 0 || c == NULL || cred_privileged_fs(c))
        return;
    i->mode &= ~S_ISUID;
    if ((i->mode & S_IXGRP) != 0)
        i->mode &= ~S_ISGID;
}

/* One bounce buffer's worth. Returns how many bytes were written. */
static ssize_t
write_bounced(struct inode *i, const char *src, size_t n, off_t *pos, bool append)
{
    mutex_lock(&i->lock);
    if (append)
        *pos = (off_t)i->object.size;
    ssize_t done = write_chunk(i, src, n, (uint64_t)*pos);
    if (done > 0) {
        *pos += done;
        drop_setid(i);
        inode_touch(i, INODE_MTIME | INODE_CTIME);
    }
    mutex_unlock(&i->lock);
    return done;
}

ssize_t
inode_write_uio(struct inode *i, struct uio *u, off_t *pos, bool append)
{
    ssize_t total = 0, err = 0;

    if (u->left == 0)
        return 0;
    reclaim_throttle();
    char *bounce = kmalloc(PAGE_SIZE);
    if (bounce == NULL)
        return -ENOMEM;
    while (u->left > 0 && err == 0 && !interrupted_for_good(u)) {
        /* Pieces end at page ends, except when nobody knows yet where they go. */
        size_t n = append ? PAGE_SIZE : PAGE_SIZE - ((uint64_t)*pos & PAGE_MASK);
        size_t before = u->left;

        reclaim_throttle(); /* nothing is locked here; a fast writer waits for the disk */
        err = uio_take(u, bounce, MIN(n, before));
        n = before - u->left;
        if (n == 0)
            break;
        ssize_t done = write_bounced(i, bounce, n, pos, append);
        if (done < 0) {
            err = done;
            break;
        }
        total += done;
        if ((size_t)done < n)
            break;
    }
    kfree(bounce);
    return total > 0 ? total : err;
}

ssize_t
inode_read_kernel(struct inode *i, void *buf, size_t n, off_t off)
{
    struct iovec iov;
    struct uio u;

    uio_init_kernel(&u, &iov, buf, n);
    return inode_read_uio(i, &u, &off);
}

static ssize_t
regular_read(struct file *f, struct uio *u, off_t *pos)
{
    ssize_t n = inode_read_uio(f->inode, u, pos);

    if (n > 0 && (f->flags & O_NOATIME) == 0)
        inode_touch(f->inode, INODE_ATIME);
    return n;
}

static ssize_t
regular_write(struct file *f, struct uio *u, off_t *pos)
{
    ssize_t n = inode_write_uio(f->inode, u, pos, (f->flags & O_APPEND) != 0);

    if (n == -EFBIG && (uint64_t)*pos >= files_size_limit())
        fs_raise(SIGXFSZ);
    return n;
}

/* SIMPLE: SEEK_DATA and SEEK_HOLE see one piece of data, a hole at its end; POSIX allows it. */
off_t
inode_seek(struct inode *i, off_t now, off_t off, int whence)
{
    off_t size = (off_t)inode_size(i), base = 0;

    if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        if (off < 0 || off >= size)
            return -ENXIO;
        return whence == SEEK_DATA ? off : size;
    }
    if (whence == SEEK_CUR)
        base = now;
    else if (whence == SEEK_END)
        base = size;
    off_t to;
    if (__builtin_add_overflow(base, off, &to))
        return -EOVERFLOW;
    return to < 0 || (uint64_t)to > max_size(i) ? -EINVAL : to;
}

static off_t
regular_seek(struct file *f, off_t off, int whence)
{
    return inode_seek(f->inode, f->offset, off, whence);
}

static int
regular_mmap(struct file *f, bool shared UNUSED, uint64_t length UNUSED, struct object **out)
{
    inode_get(f->inode);
    *out = &f->inode->object;
    inode_touch(f->inode, INODE_ATIME);
    return 0;
}

const struct file_ops regular_file_ops = {
    .read = regular_read,
    .write = regular_write,
    .seek = regular_seek,
    .mmap = regular_mmap,
};

/* A directory's offset is the file system's: only 0 and what getdents said are places. */
static off_t
directory_seek(struct file *f, off_t off, int whence)
{
    off_t to;

    if (whence != SEEK_SET && whence != SEEK_CUR)
        return -EINVAL;
    if (__builtin_add_overflow(whence == SEEK_CUR ? f->offset : 0, off, &to))
        return -EOVERFLOW;
    return to >= 0 ? to : -EINVAL;
}

const struct file_ops directory_file_ops = {.seek = directory_seek};

int
inode_truncate(struct inode *i, uint64_t size)
{
    if (S_ISDIR(i->mode))
        return -EISDIR;
    if (!S_ISREG(i->mode) || i->ops->truncate == NULL)
        return -EINVAL;
    if (size > max_size(i))
        return -EFBIG;
    if ((i->super->flags & SUPER_READ_ONLY) != 0)
        return -EROFS;
    if (READ_ONCE(i->writers) < 0)
        return -ETXTBSY;
    mutex_lock(&i->lock);
    bool too_long = size > i->object.size && size > files_size_limit();
    int err = too_long ? -EFBIG : i->ops->truncate(i, size);
    if (err == 0) {
        drop_setid(i);
        inode_touch(i, INODE_MTIME | INODE_CTIME);
    }
    mutex_unlock(&i->lock);
    if (too_long)
        fs_raise(SIGXFSZ);
    return err;
}
