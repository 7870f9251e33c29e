/*
 * file_io.c - moving bytes: read, write, their vectors and positions, lseek, sendfile.
 *
 * A vector is copied from the program once and judged as a whole before any byte is moved.
 */
#include "kernel/sys/file.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/vector.h"
#include "mm/kmalloc.h"

typedef ssize_t mover(struct file *f, struct uio *u, off_t *pos);

/* One piece, at *pos or at the file's own offset. */
static int64_t
move_one(const uint64_t a[6], mover *move, off_t *pos)
{
    struct file *f = fd_get((int)a[0]);
    struct iovec iov;
    struct uio u;

    if (f == NULL)
        return -EBADF;
    bool allowed = move == file_read ? file_readable(f) : file_writable(f);
    int64_t n = -EBADF;
    if (f->stream && pos != NULL) {
        n = -ESPIPE;
    } else if (allowed && !range_ok(a[1], a[2])) {
        n = -EFAULT;
    } else if (allowed) {
        uio_init_user(&u, &iov, a[1], MIN(a[2], RW_MAX));
        n = move(f, &u, pos);
    }
    file_put(f);
    return n;
}

int64_t
sys_read(const uint64_t a[6])
{
    return move_one(a, file_read, NULL);
}

int64_t
sys_write(const uint64_t a[6])
{
    return move_one(a, file_write, NULL);
}

int64_t
sys_pread64(const uint64_t a[6])
{
    off_t pos = (off_t)a[3];

    return pos < 0 ? -EINVAL : move_one(a, file_read, &pos);
}

int64_t
sys_pwrite64(const uint64_t a[6])
{
    off_t pos = (off_t)a[3];

    return pos < 0 ? -EINVAL : move_one(a, file_write, &pos);
}

static int64_t
move_vector(const uint64_t a[6], mover *move, off_t *pos)
{
    struct vector v;
    struct uio u;

    struct file *f = fd_get((int)a[0]);
    if (f == NULL)
        return -EBADF;
    bool allowed = move == file_read ? file_readable(f) : file_writable(f);
    int64_t n = allowed ? vector_read(&v, a[1], a[2], &u) : -EBADF;
    if (n == 0) {
        n = move(f, &u, pos);
        vector_free(&v);
    }
    file_put(f);
    return n;
}

int64_t
sys_readv(const uint64_t a[6])
{
    return move_vector(a, file_read, NULL);
}

int64_t
sys_writev(const uint64_t a[6])
{
    return move_vector(a, file_write, NULL);
}

/* The position comes in two halves, of which x86-64 needs the first only. */
int64_t
sys_preadv(const uint64_t a[6])
{
    off_t pos = (off_t)a[3];

    return pos < 0 ? -EINVAL : move_vector(a, file_read, &pos);
}

int64_t
sys_pwritev(const uint64_t a[6])
{
    off_t pos = (off_t)a[3];

    return pos < 0 ? -EINVAL : move_vector(a, file_write, &pos);
}

#define RWF_HIPRI 1 /* a hint */
#define RWF_DSYNC 2
#define RWF_SYNC  4

static ssize_t
write_and_sync(struct file *f, struct uio *u, off_t *pos)
{
    ssize_t n = file_write(f, u, pos);
    int err = n > 0 && S_ISREG(f->inode->mode) ? inode_sync(f->inode) : 0;

    return err != 0 ? err : n;
}

/* A position of -1 is the file's own offset. SIMPLE: RWF_NOWAIT and RWF_APPEND are refused. */
static int64_t
move_vector2(const uint64_t a[6], mover *move, mover *move_synced)
{
    off_t pos = (off_t)a[3];
    unsigned flags = (unsigned)a[5];

    if (pos < -1)
        return -EINVAL;
    if (flags & ~(unsigned)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC))
        return -EOPNOTSUPP;
    return move_vector(a, flags & (RWF_DSYNC | RWF_SYNC) ? move_synced : move,
                       pos == -1 ? NULL : &pos);
}

int64_t
sys_preadv2(const uint64_t a[6])
{
    return move_vector2(a, file_read, file_read);
}

int64_t
sys_pwritev2(const uint64_t a[6])
{
    return move_vector2(a, file_write, write_and_sync);
}

int64_t
sys_lseek(const uint64_t a[6])
{
    struct file *f = fd_get((int)a[0]);

    if (f == NULL)
        return -EBADF;
    off_t at = file_seek(f, (off_t)a[1], (int)a[2]);
    file_put(f);
    return at;
}

/*
 * Moves up to @count bytes by way of @buf (a page). *pos: where to read, moved
 * by what was written.
 */
static int64_t
send(struct file *out, struct file *in, off_t *pos, size_t count, char *buf)
{
    size_t done = 0;

    while (done < count && sched_go_on()) {
        struct iovec iov;
        struct uio u;
        off_t at = *pos;

        uio_init_kernel(&u, &iov, buf, MIN(count - done, PAGE_SIZE));
        ssize_t n = file_read(in, &u, &at);
        if (n <= 0)
            return done > 0 ? (int64_t)done : n;
        ssize_t m = file_write_kernel(out, buf, (size_t)n);
        if (m < 0)
            return done > 0 ? (int64_t)done : m;
        *pos += m;
        done += (size_t)m;
        if (m < n)
            break;
    }
    return (int64_t)done;
}

/* The file's own offset, or the program's variable. */
static int64_t
send_from(struct file *out, struct file *in, vaddr_t upos, size_t count, char *buf)
{
    off_t pos;

    if (in->stream || S_ISDIR(in->inode->mode))
        return -EINVAL;
    if (upos != 0) {
        if (copy_from_user(&pos, upos, sizeof(pos)) != 0)
            return -EFAULT;
        if (pos < 0)
            return -EINVAL;
        int64_t n = send(out, in, &pos, count, buf);
        return copy_to_user(upos, &pos, sizeof(pos)) != 0 ? -EFAULT : n;
    }
    mutex_lock(&in->offset_lock);
    pos = in->offset;
    mutex_unlock(&in->offset_lock);
    int64_t n = send(out, in, &pos, count, buf);
    mutex_lock(&in->offset_lock);
    in->offset = pos;
    mutex_unlock(&in->offset_lock);
    return n;
}

int64_t
sys_sendfile(const uint64_t a[6])
{
    struct file *out = fd_get((int)a[0]), *in = fd_get((int)a[1]);
    char *buf = kmalloc(PAGE_SIZE);
    int64_t n = -ENOMEM;

    if (out == NULL || in == NULL || !file_writable(out) || !file_readable(in))
        n = -EBADF;
    else if (buf != NULL)
        n = send_from(out, in, a[2], MIN(a[3], RW_MAX), buf);
    kfree(buf);
    file_put(in);
    file_put(out);
    return n;
}
