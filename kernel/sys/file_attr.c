/*
 * file_attr.c - changing what stat() tells: mode, owner, times.
 *
 * Every call finds its inode, by path or by descriptor, and hands it to one of three functions.
 */
#include "kernel/sys/file.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/fs/super.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/thread.h"

/* A change of an inode's attributes; @arg is its own. */
typedef int change_fn(struct inode *i, const void *arg);

/* The checks that all changes have in common, then the change. */
static int
change(struct inode *i, change_fn *fn, const void *arg)
{
    if ((i->super->flags & SUPER_READ_ONLY) != 0)
        return -EROFS;
    if ((i->super->flags & SUPER_VOLATILE) != 0)
        return -EPERM;
    return fn(i, arg);
}

static int64_t
change_path(int dirfd, vaddr_t upath, unsigned flags, change_fn *fn, const void *arg)
{
    struct dentry *d;
    int err = path_walk_at(dirfd, upath, flags, &d);

    if (err != 0)
        return err;
    err = change(d->inode, fn, arg);
    dentry_put(d);
    return err;
}

static int64_t
change_fd(int fd, change_fn *fn, const void *arg)
{
    struct file *f = fd_get(fd);

    if (f == NULL)
        return -EBADF;
    int err = (f->flags & O_PATH) != 0 ? -EBADF : change(f->inode, fn, arg);
    file_put(f);
    return err;
}

static bool
is_root(void)
{
    return cred_privileged_fs(current_thread()->cred);
}

static int
set_mode(struct inode *i, const void *arg)
{
    mode_t mode = *(const mode_t *)arg & S_IALLUGO;

    if (!inode_owner_or_root(i))
        return -EPERM;
    if (S_ISLNK(i->mode))
        return -EOPNOTSUPP;
    mutex_lock(&i->lock);
    if (!is_root() && !cred_in_group(current_thread()->cred, i->gid))
        mode &= ~S_ISGID;
    i->mode = (i->mode & S_IFMT) | mode;
    inode_touch(i, INODE_CTIME);
    mutex_unlock(&i->lock);
    return 0;
}

int64_t
sys_chmod(const uint64_t a[6])
{
    mode_t mode = (mode_t)a[1];

    return change_path(AT_FDCWD, a[0], 0, set_mode, &mode);
}

int64_t
sys_fchmod(const uint64_t a[6])
{
    mode_t mode = (mode_t)a[1];

    return change_fd((int)a[0], set_mode, &mode);
}

int64_t
sys_fchmodat(const uint64_t a[6])
{
    mode_t mode = (mode_t)a[2];

    return change_path((int)a[0], a[1], 0, set_mode, &mode);
}

struct owner {
    uid_t uid; /* -1: as it is */
    gid_t gid;
};

static int
set_owner(struct inode *i, const void *arg)
{
    const struct owner *o = arg;
    bool change_uid = o->uid != (uid_t)-1, change_gid = o->gid != (gid_t)-1;
    int err = 0;

    mutex_lock(&i->lock);
    if (!is_root()) {
        bool owner = inode_owner_or_root(i);
        if ((change_uid && (!owner || o->uid != i->uid)) ||
            (change_gid &&
             (!owner || (o->gid != i->gid && !cred_in_group(current_thread()->cred, o->gid)))))
            err = -EPERM;
    }
    if (err == 0) {
        i->uid = change_uid ? o->uid : i->uid;
        i->gid = change_gid ? o->gid : i->gid;
        if (!S_ISDIR(i->mode)) { /* a program must not keep its powers under a new owner */
            i->mode &= ~S_ISUID;
            if ((i->mode & S_IXGRP) != 0)
                i->mode &= ~S_ISGID;
        }
        inode_touch(i, INODE_CTIME);
    }
    mutex_unlock(&i->lock);
    return err;
}

int64_t
sys_chown(const uint64_t a[6])
{
    struct owner o = {(uid_t)a[1], (gid_t)a[2]};

    return change_path(AT_FDCWD, a[0], 0, set_owner, &o);
}

int64_t
sys_lchown(const uint64_t a[6])
{
    struct owner o = {(uid_t)a[1], (gid_t)a[2]};

    return change_path(AT_FDCWD, a[0], AT_SYMLINK_NOFOLLOW, set_owner, &o);
}

int64_t
sys_fchown(const uint64_t a[6])
{
    struct owner o = {(uid_t)a[1], (gid_t)a[2]};

    return change_fd((int)a[0], set_owner, &o);
}

int64_t
sys_fchownat(const uint64_t a[6])
{
    struct owner o = {(uid_t)a[2], (gid_t)a[3]};
    unsigned flags = (unsigned)a[4];

    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    return change_path((int)a[0], a[1], flags, set_owner, &o);
}

/* What happens to the two times. */
struct times {
    bool now; /* both to the present: the form that writers may use too */
    bool set_atime, set_mtime;
    int64_t atime, mtime; /* nanoseconds since 1970 */
};

static int
set_times(struct inode *i, const void *arg)
{
    const struct times *t = arg;

    if (!inode_owner_or_root(i)) {
        if (!t->now)
            return -EPERM;
        int err = inode_permission(i, W_OK);
        if (err != 0)
            return err;
    }
    mutex_lock(&i->lock);
    if (t->set_atime)
        i->atime = t->atime;
    if (t->set_mtime)
        i->mtime = t->mtime;
    inode_touch(i, INODE_CTIME);
    mutex_unlock(&i->lock);
    return 0;
}

static struct times
times_now(void)
{
    int64_t now = (int64_t)clock_realtime();

    return (struct times){true, true, true, now, now};
}

/* Seconds and nanoseconds to nanoseconds, without running over. */
static int64_t
to_ns(int64_t sec, int64_t nsec)
{
    int64_t most = INT64_MAX / (int64_t)NSEC_PER_SEC - 1;

    sec = MIN(MAX(sec, -most), most);
    return sec * (int64_t)NSEC_PER_SEC + nsec;
}

/* One timespec of utimensat. @now: UTIME_NOW's value. */
static int
one_time(const struct abi_timespec *ts, int64_t now, bool *set, int64_t *ns)
{
    *set = ts->tv_nsec != UTIME_OMIT;
    *ns = now;
    if (ts->tv_nsec == UTIME_NOW || ts->tv_nsec == UTIME_OMIT)
        return 0;
    if (ts->tv_nsec < 0 || ts->tv_nsec >= (int64_t)NSEC_PER_SEC)
        return -EINVAL;
    *ns = to_ns(ts->tv_sec, ts->tv_nsec);
    return 0;
}

static int
times_from_timespec(vaddr_t utimes, struct times *t)
{
    struct abi_timespec ts[2];

    *t = times_now();
    if (utimes == 0)
        return 0;
    if (copy_from_user(ts, utimes, sizeof(ts)) != 0)
        return -EFAULT;
    int64_t now = t->atime;
    int err = one_time(&ts[0], now, &t->set_atime, &t->atime);
    if (err == 0)
        err = one_time(&ts[1], now, &t->set_mtime, &t->mtime);
    t->now = ts[0].tv_nsec == UTIME_NOW && ts[1].tv_nsec == UTIME_NOW;
    return err;
}

int64_t
sys_utimensat(const uint64_t a[6])
{
    unsigned flags = (unsigned)a[3];
    struct times t;
    int err = times_from_timespec(a[2], &t);

    if (err != 0)
        return err;
    if (!t.set_atime && !t.set_mtime) /* nothing to do, whatever the file is */
        return 0;
    if (a[1] == 0 && (int)a[0] != AT_FDCWD)
        return flags != 0 ? -EINVAL : change_fd((int)a[0], set_times, &t);
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    return change_path((int)a[0], a[1], flags, set_times, &t);
}

/* utimes and futimesat: microseconds. */
static int64_t
set_timevals(int dirfd, vaddr_t upath, vaddr_t utimes)
{
    struct times t = times_now();
    struct abi_timeval tv[2];

    if (utimes != 0) {
        if (copy_from_user(tv, utimes, sizeof(tv)) != 0)
            return -EFAULT;
        if (tv[0].tv_usec < 0 || tv[0].tv_usec >= 1000000 || tv[1].tv_usec < 0 ||
            tv[1].tv_usec >= 1000000)
            return -EINVAL;
        t.now = false;
        t.atime = to_ns(tv[0].tv_sec, tv[0].tv_usec * 1000);
        t.mtime = to_ns(tv[1].tv_sec, tv[1].tv_usec * 1000);
    }
    if (upath == 0 && dirfd != AT_FDCWD)
        return change_fd(dirfd, set_times, &t);
    return change_path(dirfd, upath, 0, set_times, &t);
}

int64_t
sys_utimes(const uint64_t a[6])
{
    return set_timevals(AT_FDCWD, a[0], a[1]);
}

int64_t
sys_futimesat(const uint64_t a[6])
{
    return set_timevals((int)a[0], a[1], a[2]);
}

int64_t
sys_utime(const uint64_t a[6])
{
    struct times t = times_now();
    int64_t sec[2];

    if (a[1] != 0) {
        if (copy_from_user(sec, a[1], sizeof(sec)) != 0)
            return -EFAULT;
        t = (struct times){false, true, true, to_ns(sec[0], 0), to_ns(sec[1], 0)};
    }
    return change_path(AT_FDCWD, a[0], 0, set_times, &t);
}
