/*
 * file_fd.c - descriptors: open, close, dup, pipe, fcntl, ioctl, flock, memfd_create.
 */
#include "kernel/sys/file.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/fs/flock.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/tmpfs.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/sched/thread.h"

/* Flags that F_SETFL may change. */
#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

static int64_t
open_at(int dirfd, vaddr_t path, unsigned flags, mode_t mode)
{
    struct file *f;
    int fd = fd_room();

    if (fd != 0)
        return fd;
    int err = file_openat(dirfd, path, flags | O_LARGEFILE, mode, &f);
    if (err != 0)
        return err;
    fd = fd_install(f, 0, (flags & O_CLOEXEC) != 0);
    if (fd < 0)
        file_put(f);
    return fd;
}

int64_t
sys_open(const uint64_t a[6])
{
    return open_at(AT_FDCWD, a[0], (unsigned)a[1], (mode_t)a[2]);
}

int64_t
sys_openat(const uint64_t a[6])
{
    return open_at((int)a[0], a[1], (unsigned)a[2], (mode_t)a[3]);
}

int64_t
sys_creat(const uint64_t a[6])
{
    return open_at(AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, (mode_t)a[1]);
}

int64_t
sys_close(const uint64_t a[6])
{
    return fd_close((int)a[0]);
}

int64_t
sys_close_range(const uint64_t a[6])
{
    unsigned first = (unsigned)a[0], last = (unsigned)a[1], flags = (unsigned)a[2];
    struct files *t = current_thread()->files;

    /* CLOSE_RANGE_UNSHARE makes no difference while no two processes share a table. */
    if (first > last || (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0)
        return -EINVAL;
    if (first >= FILES_MAX)
        return 0;
    for (int fd = files_next(t, (int)first); fd >= 0 && (unsigned)fd <= last;
         fd = files_next(t, fd + 1)) {
        if ((flags & CLOSE_RANGE_CLOEXEC) != 0)
            fd_set_cloexec(fd, true);
        else
            (void)!fd_close(fd); /* somebody else may have closed it meanwhile */
    }
    return 0;
}

/* A further descriptor >= @min for what @fd names. */
static int64_t
dup_from(int fd, int min, bool cloexec)
{
    struct file *f = fd_get(fd);

    if (f == NULL)
        return -EBADF;
    int new = fd_install(f, min, cloexec);
    if (new < 0)
        file_put(f);
    return new;
}

int64_t
sys_dup(const uint64_t a[6])
{
    return dup_from((int)a[0], 0, false);
}

static int64_t
dup_to(int fd, int new, bool cloexec)
{
    struct file *f = fd_get(fd);

    if (f == NULL)
        return -EBADF;
    int err = fd_replace(new, f, cloexec);
    if (err != 0)
        file_put(f);
    return err != 0 ? err : new;
}

int64_t
sys_dup2(const uint64_t a[6])
{
    int fd = (int)a[0], new = (int)a[1];

    if (fd == new)
        return fd_get_cloexec(fd) < 0 ? -EBADF : new;
    return dup_to(fd, new, false);
}

int64_t
sys_dup3(const uint64_t a[6])
{
    unsigned flags = (unsigned)a[2];

    if ((flags & ~O_CLOEXEC) != 0 || (int)a[0] == (int)a[1])
        return -EINVAL;
    return dup_to((int)a[0], (int)a[1], (flags & O_CLOEXEC) != 0);
}

/* Enters both ends, or none. */
static int
install_pair(struct file *r, struct file *w, bool cloexec, int32_t fd[2])
{
    fd[0] = fd_install(r, 0, cloexec);
    if (fd[0] < 0) {
        file_put(r);
        file_put(w);
        return fd[0];
    }
    fd[1] = fd_install(w, 0, cloexec);
    if (fd[1] < 0) {
        file_put(w);
        (void)!fd_close(fd[0]);
        return fd[1];
    }
    return 0;
}

static int64_t
make_pipe(vaddr_t ufds, unsigned flags)
{
    struct file *r, *w;
    int32_t fd[2];

    if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) != 0)
        return -EINVAL;
    if ((flags & O_DIRECT) != 0) /* SIMPLE: no packets */
        return -EINVAL;
    int err = pipe_open_pair(flags, &r, &w);
    if (err == 0)
        err = install_pair(r, w, (flags & O_CLOEXEC) != 0, fd);
    if (err == 0 && copy_to_user(ufds, fd, sizeof(fd)) != 0) {
        (void)!fd_close(fd[0]);
        (void)!fd_close(fd[1]);
        err = -EFAULT;
    }
    return err;
}

int64_t
sys_pipe(const uint64_t a[6])
{
    return make_pipe(a[0], 0);
}

int64_t
sys_pipe2(const uint64_t a[6])
{
    return make_pipe(a[0], (unsigned)a[1]);
}

/*
 * A thread may have closed @fd while the lock was being taken; close() drops locks, and this one
 * came too late for that: nothing would ever take it away.
 */
static int
drop_if_closed(struct file *f, int fd)
{
    struct file *now = fd_get(fd);

    if (now != f)
        record_release(f->inode, current_thread()->files);
    file_put(now);
    return now == f ? 0 : -EBADF;
}

/* Record locks: F_GETLK, F_SETLK, F_SETLKW. */
static int64_t
lock_records(struct file *f, int fd, int cmd, vaddr_t ulock)
{
    struct flock l;
    struct files *owner = current_thread()->files;

    if (copy_from_user(&l, ulock, sizeof(l)) != 0)
        return -EFAULT;
    if (l.l_type < F_RDLCK || l.l_type > F_UNLCK || (cmd == F_GETLK && l.l_type == F_UNLCK))
        return -EINVAL;
    if (cmd == F_GETLK) {
        int err = record_test(f, owner, &l);
        return err != 0 ? err : copy_to_user(ulock, &l, sizeof(l));
    }
    if ((l.l_type == F_RDLCK && !file_readable(f)) ||
        (l.l_type == F_WRLCK && !file_writable(f)))
        return -EBADF;
    int err = record_lock(f, owner, current_process()->pid, &l, cmd == F_SETLKW);
    return err != 0 || l.l_type == F_UNLCK ? err : drop_if_closed(f, fd);
}

static int64_t
fcntl_file(struct file *f, int fd, int cmd, uint64_t arg)
{
    switch (cmd) {
    case F_GETFL:
        return f->flags;
    case F_SETFL:
        file_set_flags(f, SETFL_MASK, (uint32_t)arg);
        return 0;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
        return lock_records(f, fd, cmd, arg);
    case F_SETOWN:
        f->owner = (pid_t)arg;
        return 0;
    case F_GETOWN:
        return f->owner;
    case F_GETPIPE_SZ:
        return pipe_capacity(f);
    case F_SETPIPE_SZ: /* SIMPLE: a pipe has one size, which is Linux's default */
        if (pipe_capacity(f) < 0)
            return -EBADF;
        return arg <= PIPE_SIZE ? (int64_t)PIPE_SIZE : -EPERM;
    default:
        return -EINVAL;
    }
}

int64_t
sys_fcntl(const uint64_t a[6])
{
    int fd = (int)a[0], cmd = (int)a[1];
    struct file *f = fd_get(fd);

    if (f == NULL)
        return -EBADF;
    int64_t r;
    if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
        r = dup_from(fd, (int)a[2], cmd == F_DUPFD_CLOEXEC);
    else if (cmd == F_GETFD)
        r = fd_get_cloexec(fd);
    else if (cmd == F_SETFD)
        r = fd_set_cloexec(fd, (a[2] & FD_CLOEXEC) != 0);
    else if ((f->flags & O_PATH) != 0 && cmd != F_GETFL)
        r = -EBADF;
    else
        r = fcntl_file(f, fd, cmd, a[2]);
    file_put(f);
    return r;
}

/* Bytes that can be read from a file of a known size. */
static int64_t
bytes_left(struct file *f, vaddr_t ucount)
{
    int64_t left = (int64_t)inode_size(f->inode) - READ_ONCE(f->offset);
    int32_t n = (int32_t)MIN(MAX(left, 0), INT32_MAX);

    return copy_to_user(ucount, &n, sizeof(n));
}

static int64_t
ioctl_file(struct file *f, int fd, unsigned cmd, uint64_t arg)
{
    int32_t on;

    switch (cmd) {
    case FIOCLEX:
    case FIONCLEX:
        return fd_set_cloexec(fd, cmd == FIOCLEX);
    case FIONBIO:
        if (copy_from_user(&on, arg, sizeof(on)) != 0)
            return -EFAULT;
        file_set_flags(f, O_NONBLOCK, on != 0 ? O_NONBLOCK : 0);
        return 0;
    case FIONREAD:
        if (S_ISREG(f->inode->mode))
            return bytes_left(f, arg);
        break;
    default:
        break;
    }
    return f->fops->ioctl != NULL ? f->fops->ioctl(f, cmd, arg) : -ENOTTY;
}

int64_t
sys_ioctl(const uint64_t a[6])
{
    struct file *f = fd_get((int)a[0]);

    if (f == NULL)
        return -EBADF;
    int64_t r =
        (f->flags & O_PATH) != 0 ? -EBADF : ioctl_file(f, (int)a[0], (unsigned)a[1], a[2]);
    file_put(f);
    return r;
}

int64_t
sys_flock(const uint64_t a[6])
{
    unsigned op = (unsigned)a[1], type = op & ~(unsigned)LOCK_NB;
    struct file *f = fd_get((int)a[0]);
    int64_t r = -EBADF;

    if (f == NULL)
        return r;
    if (type != LOCK_SH && type != LOCK_EX && type != LOCK_UN)
        r = -EINVAL;
    else if ((f->flags & O_PATH) == 0)
        r = flock_set(f, type, (op & LOCK_NB) == 0);
    file_put(f);
    return r;
}

int64_t
sys_memfd_create(const uint64_t a[6])
{
    unsigned flags = (unsigned)a[1];
    char name[NAME_MAX + 1] = "memfd:";
    const size_t prefix = sizeof("memfd:") - 1;
    struct dentry *d;
    struct inode *i;
    struct file *f;

    if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) != 0)
        return -EINVAL;
    ssize_t n = strncpy_from_user(name + prefix, a[0], sizeof(name) - prefix);
    if (n < 0)
        return n == -ENAMETOOLONG ? -EINVAL : n;
    for (char *c = name; *c != '\0'; c++) /* a name is one component, and shown only */
        *c = *c == '/' ? '_' : *c;
    int err = tmpfs_memfd(name, &i, &d);
    if (err != 0)
        return err;
    err = file_new(i, d, O_RDWR | O_LARGEFILE, &f);
    dentry_put(d);
    inode_put(i);
    if (err != 0)
        return err;
    int fd = fd_install(f, 0, (flags & MFD_CLOEXEC) != 0);
    if (fd < 0)
        file_put(f);
    return fd;
}
