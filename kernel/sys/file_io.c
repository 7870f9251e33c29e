/*
 * file_io.c - moving bytes: read, write, their vectors and positions, lseek, sendfile,
 * and process_vm_readv, which reads a process as if it were a file.
 *
 * A vector is copied from the program once and judged as a whole before any byte is moved.
 */
#include "kernel/sys/file.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/proc/process.h"
#include "mm/fault.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"
#include "mm/space.h"

#define RW_MAX      0x7ffff000UL /* Linux moves no more in one call */
#define IOV_INLINE  8
#define IOV_KMALLOC (PAGE_SIZE / sizeof(struct iovec))

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

/* A vector in kernel memory. */
struct vector {
    struct iovec *iov;
    struct iovec small[IOV_INLINE];
    unsigned pages; /* of kvmap_alloc, when it is that long */
};

static void
vector_free(struct vector *v)
{
    if (v->pages > 0)
        kvmap_free(v->iov, v->pages);
    else if (v->iov != v->small)
        kfree(v->iov);
}

static int
vector_alloc(struct vector *v, size_t count)
{
    v->iov = v->small;
    v->pages = 0;
    if (count > IOV_KMALLOC) {
        v->pages = (unsigned)((count + IOV_KMALLOC - 1) / IOV_KMALLOC);
        v->iov = kvmap_alloc(v->pages);
    } else if (count > IOV_INLINE) {
        v->iov = kmalloc(count * sizeof(struct iovec));
    }
    return v->iov != NULL ? 0 : -ENOMEM;
}

/* Judges the pieces and makes the uio; what is beyond RW_MAX is cut off. */
static int
vector_judge(struct vector *v, size_t count, struct uio *u)
{
    uint64_t total = 0;

    for (size_t k = 0; k < count; k++) {
        struct iovec *p = &v->iov[k];
        if (p->len > (uint64_t)INT64_MAX)
            return -EINVAL;
        if (!range_ok(p->base, p->len))
            return -EFAULT;
        p->len = MIN(p->len, RW_MAX - total);
        total += p->len;
    }
    *u = (struct uio){.iov = v->iov, .count = (unsigned)count, .left = total};
    return 0;
}

/* The vector of a program, copied and judged. On success vector_free is the caller's. */
static int
vector_read(struct vector *v, vaddr_t uvec, uint64_t count, struct uio *u)
{
    int err = count > IOV_MAX ? -EINVAL : vector_alloc(v, count);

    if (err != 0)
        return err;
    err = copy_from_user(v->iov, uvec, count * sizeof(struct iovec));
    if (err == 0)
        err = vector_judge(v, count, u);
    if (err != 0)
        vector_free(v);
    return err;
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

/* ---- between processes ---- */

/* The space of thread @tid, with a reference, if the caller may look into it. */
static int
open_space(pid_t tid, struct space **out)
{
    int err = -ESRCH;

    spin_lock(&proc_lock);
    const struct task *t = task_find_locked(tid);

    if (t != NULL && t->thread->space != NULL)
        err = process_may_control_locked(t->process) ? 0 : -EPERM;
    if (err == 0)
        *out = space_get(t->thread->space);
    spin_unlock(&proc_lock);
    return err;
}

/* Moves between the caller's @u and the pieces of @them in @s, as far as both go. */
static int64_t
move_between(struct uio *u, struct space *s, const struct uio *them, unsigned access)
{
    char *page = kmalloc(PAGE_SIZE);
    int64_t done = 0;
    int err = page != NULL ? 0 : -ENOMEM;

    for (unsigned k = 0; k < them->count && err == 0; k++) {
        vaddr_t va = them->iov[k].base, end = va + them->iov[k].len;

        while (va < end && u->left > 0 && err == 0) {
            size_t n = MIN(MIN(end - va, u->left), PAGE_SIZE - (va & PAGE_MASK));

            if (access == PROT_READ)
                err = vm_copy(s, va, page, n, access) ?: uio_put(u, page, n);
            else
                err = uio_take(u, page, n) ?: vm_copy(s, va, page, n, access);
            if (err == 0)
                done += (int64_t)n;
            va += n;
        }
    }
    kfree(page);
    return done > 0 ? done : err;
}

/* @access: what is done to the other process's memory. */
static int64_t
process_vm(const uint64_t a[6], unsigned access)
{
    struct vector mine, theirs;
    struct uio u, them;
    struct space *s;
    int64_t n = a[5] != 0 ? -EINVAL : vector_read(&mine, a[1], a[2], &u);

    if (n != 0)
        return n;
    n = vector_read(&theirs, a[3], a[4], &them);
    if (n == 0) {
        n = u.left == 0 || them.left == 0 ? 0 : open_space((pid_t)a[0], &s);
        if (n == 0 && u.left > 0 && them.left > 0) {
            n = move_between(&u, s, &them, access);
            space_put(s);
        }
        vector_free(&theirs);
    }
    vector_free(&mine);
    return n;
}

int64_t
sys_process_vm_readv(const uint64_t a[6])
{
    return process_vm(a, PROT_READ);
}

int64_t
sys_process_vm_writev(const uint64_t a[6])
{
    return process_vm(a, PROT_WRITE);
}

/* ---- places, and file to file ---- */

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
 * Moves up to @count bytes by way of @buf (a page). *pos: where to read, moved by what was
 * written.
 */
static int64_t
send(struct file *out, struct file *in, off_t *pos, size_t count, char *buf)
{
    size_t done = 0;

    while (done < count) {
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
