/*
 * file_stat.c - questions about files: stat and its relatives, access, statfs.
 */
#include "kernel/sys/file.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/fs/super.h"
#include "kernel/lib/string.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/thread.h"

#define STAT_FLAGS (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)

/* True if AT_EMPTY_PATH is set and the path is "". */
static bool
is_empty(vaddr_t upath, unsigned flags)
{
    char first;

    return (flags & AT_EMPTY_PATH) != 0 && copy_from_user(&first, upath, 1) == 0 &&
           first == '\0';
}

/* The inode that dirfd, path and AT_xxx flags name, referenced. */
static int
find_inode(int dirfd, vaddr_t upath, unsigned flags, struct inode **out)
{
    struct dentry *d;

    if (dirfd != AT_FDCWD && is_empty(upath, flags)) { /* any file, pipes too */
        struct file *f = fd_get(dirfd);
        if (f == NULL)
            return -EBADF;
        *out = f->inode;
        inode_get(*out);
        file_put(f);
        return 0;
    }
    int err = path_walk_at(dirfd, upath, flags, &d);
    if (err != 0)
        return err;
    *out = d->inode;
    inode_get(*out);
    dentry_put(d);
    return 0;
}

static int64_t
stat_at(int dirfd, vaddr_t upath, vaddr_t ustat, unsigned flags)
{
    struct abi_stat st;
    struct inode *i;

    if ((flags & ~STAT_FLAGS) != 0)
        return -EINVAL;
    int err = find_inode(dirfd, upath, flags, &i);
    if (err != 0)
        return err;
    inode_stat(i, &st);
    inode_put(i);
    return copy_to_user(ustat, &st, sizeof(st));
}

int64_t
sys_stat(const uint64_t a[6])
{
    return stat_at(AT_FDCWD, a[0], a[1], 0);
}

int64_t
sys_lstat(const uint64_t a[6])
{
    return stat_at(AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW);
}

int64_t
sys_newfstatat(const uint64_t a[6])
{
    return stat_at((int)a[0], a[1], a[2], (unsigned)a[3]);
}

int64_t
sys_fstat(const uint64_t a[6])
{
    struct file *f = fd_get((int)a[0]);
    struct abi_stat st;

    if (f == NULL)
        return -EBADF;
    inode_stat(f->inode, &st);
    file_put(f);
    return copy_to_user(a[1], &st, sizeof(st));
}

static struct abi_statx_timestamp
statx_time(struct abi_timespec t)
{
    return (struct abi_statx_timestamp){.tv_sec = t.tv_sec, .tv_nsec = (uint32_t)t.tv_nsec};
}

int64_t
sys_statx(const uint64_t a[6])
{
    unsigned flags = (unsigned)a[2], mask = (unsigned)a[3];
    struct abi_stat st;
    struct inode *i;

    if ((mask & STATX_RESERVED) != 0 || (flags & ~(STAT_FLAGS | AT_STATX_SYNC_TYPE)) != 0 ||
        (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
        return -EINVAL;
    int err = find_inode((int)a[0], a[1], flags, &i);
    if (err != 0)
        return err;
    inode_stat(i, &st);
    inode_put(i);
    struct abi_statx x = {
        .stx_mask = STATX_BASIC_STATS,
        .stx_blksize = (uint32_t)st.st_blksize,
        .stx_nlink = (uint32_t)st.st_nlink,
        .stx_uid = st.st_uid,
        .stx_gid = st.st_gid,
        .stx_mode = (uint16_t)st.st_mode,
        .stx_ino = st.st_ino,
        .stx_size = (uint64_t)st.st_size,
        .stx_blocks = (uint64_t)st.st_blocks,
        .stx_atime = statx_time(st.st_atim),
        .stx_ctime = statx_time(st.st_ctim),
        .stx_mtime = statx_time(st.st_mtim),
        .stx_rdev_major = DEV_MAJOR(st.st_rdev),
        .stx_rdev_minor = DEV_MINOR(st.st_rdev),
        .stx_dev_major = DEV_MAJOR(st.st_dev),
        .stx_dev_minor = DEV_MINOR(st.st_dev),
    };
    return copy_to_user(a[4], &x, sizeof(x));
}

/*
 * access() judges by the real ids and what these may do, for set-ID programs; AT_EACCESS by the
 * effective ones.
 */
static int64_t
access_at(int dirfd, vaddr_t upath, unsigned mode, unsigned flags)
{
    struct cred *c = current_thread()->cred;
    const struct cred saved = *c;
    struct inode *i;

    if ((mode & ~(unsigned)(R_OK | W_OK | X_OK)) != 0 ||
        (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    if ((flags & AT_EACCESS) == 0) {
        c->fsuid = c->uid;
        c->fsgid = c->gid;
        c->cap_effective = c->uid == 0 ? c->cap_permitted : 0;
    }
    int err = find_inode(dirfd, upath, flags & ~AT_EACCESS, &i);
    if (err == 0) {
        if (mode != 0)
            err = inode_permission(i, mode);
        inode_put(i);
    }
    c->fsuid = saved.fsuid;
    c->fsgid = saved.fsgid;
    c->cap_effective = saved.cap_effective;
    return err;
}

int64_t
sys_access(const uint64_t a[6])
{
    return access_at(AT_FDCWD, a[0], (unsigned)a[1], 0);
}

int64_t
sys_faccessat(const uint64_t a[6])
{
    return access_at((int)a[0], a[1], (unsigned)a[2], 0);
}

int64_t
sys_faccessat2(const uint64_t a[6])
{
    return access_at((int)a[0], a[1], (unsigned)a[2], (unsigned)a[3]);
}

static int64_t
statfs_inode(struct inode *i, vaddr_t ubuf)
{
    struct super *s = i->super;
    struct abi_statfs st;

    memset(&st, 0, sizeof(st));
    st.f_bsize = s->block_size;
    st.f_fsid = s->dev;
    st.f_namelen = NAME_MAX;
    st.f_flags = ST_VALID | ((s->flags & SUPER_READ_ONLY) != 0 ? ST_RDONLY : 0);
    if (s->ops->statfs != NULL)
        s->ops->statfs(s, &st);
    st.f_frsize = st.f_frsize != 0 ? st.f_frsize : st.f_bsize;
    return copy_to_user(ubuf, &st, sizeof(st));
}

int64_t
sys_statfs(const uint64_t a[6])
{
    struct inode *i;
    int err = find_inode(AT_FDCWD, a[0], 0, &i);

    if (err != 0)
        return err;
    int64_t r = statfs_inode(i, a[1]);
    inode_put(i);
    return r;
}

int64_t
sys_fstatfs(const uint64_t a[6])
{
    struct file *f = fd_get((int)a[0]);

    if (f == NULL)
        return -EBADF;
    int64_t r = statfs_inode(f->inode, a[1]);
    file_put(f);
    return r;
}
