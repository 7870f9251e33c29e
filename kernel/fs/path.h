/*
 * path.h - from a path to a dentry, and the operations on names.
 *
 *   - The rules are POSIX's (1003.1 4.13 Pathname Resolution) and Linux's path_resolution(7):
 *     at most 40 links, names of at most 255 bytes, paths of at most 4096 with their NUL.
 *   - Everything here sleeps, and is called with no lock held.
 */
#pragma once

#include "kernel/fs/dentry.h"

#define PATH_FOLLOW    1U /* follow a link in the last place */
#define PATH_DIRECTORY 2U /* it must be a directory */
#define PATH_EMPTY     4U /* "" means the starting point */
#define PATH_LINKS_MAX 40

/* What threads share by CLONE_FS: working directory, root and umask. */
struct fs_context {
    uint32_t refs;
    struct spinlock lock;
    struct dentry *cwd, *root; /* lock */
    mode_t umask;
};

/* At / with umask 022; and a copy for fork. NULL: no memory. */
struct fs_context *fs_context_new(void) MUST_CHECK;
struct fs_context *fs_context_fork(struct fs_context *from) MUST_CHECK;
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c); /* NULL is fine */

/* The current thread's cwd and root (the system's root for kernel threads), referenced. */
struct dentry *fs_cwd(void);
struct dentry *fs_root(void);
mode_t fs_umask(void);
/* The root of the tree; set once by super.c. */
extern struct dentry *fs_root_dentry;

/*
 * path_from_user - copy a path into a buffer of PATH_MAX.
 * Returns: 0 (free *out with kfree), -EFAULT, -ENAMETOOLONG, -ENOMEM; -ENOENT for "" unless
 *          @empty_ok.
 */
int path_from_user(vaddr_t upath, bool empty_ok, char **out) MUST_CHECK;

/*
 * path_walk - resolve a path.
 *
 * @dirfd: where a relative one starts: AT_FDCWD or a descriptor.
 * @path:  kernel string.
 * @out:   the dentry, referenced.
 * Returns: 0, -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EBADF, -EIO, -ENOMEM.
 */
int path_walk(int dirfd, const char *path, unsigned flags, struct dentry **out) MUST_CHECK;
/* The same with a path in user memory; and with AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH. */
int path_walk_user(int dirfd, vaddr_t upath, unsigned flags, struct dentry **out) MUST_CHECK;
int path_walk_at(int dirfd, vaddr_t upath, unsigned at_flags, struct dentry **out) MUST_CHECK;
/* Those two as flags of path_walk. */
unsigned path_flags(unsigned at_flags);

/* The last step of a path, not taken: for open(O_CREAT), mkdir, unlink, rename... */
struct path_last {
    struct dentry *parent; /* referenced */
    char *buffer;          /* name and rest point into it; kfree */
    char *rest;            /* path.c's: what is still to be walked */
    const char *name;      /* NUL-terminated; "" for "/" */
    bool dot, dotdot;      /* it is "." or ".." */
    bool slash;            /* slashes came behind it */
    unsigned links;        /* links followed so far */
};
/* The directory of @path is walked to, its last step is left. */
int path_parent(int dirfd, const char *path, struct path_last *out) MUST_CHECK;
int path_parent_user(int dirfd, vaddr_t upath, struct path_last *out) MUST_CHECK;
void path_last_free(struct path_last *l);

/*
 * path_step - one name in a directory, through the cache; mounts are crossed, links not
 * followed.
 * @parent is not locked by the caller. Returns 0, -ENOENT, -EIO, -ENOMEM, -ENAMETOOLONG.
 */
int path_step(struct dentry *parent, const char *name, struct dentry **out) MUST_CHECK;

/* The same with @parent's inode lock held; mounts are not crossed. */
int path_step_locked(struct dentry *parent, const char *name, struct dentry **out) MUST_CHECK;

/* The last step turned out to be link @d: on to the last step of its target. -ELOOP... */
int path_last_follow(struct path_last *l, struct dentry *d) MUST_CHECK;

/*
 * path_make - what all calls that make a name do: checks, locks, the file system's operation,
 * the tree.
 *
 * @l:     where; not dot, dotdot or "".
 * @make:  what to make.  @out: its dentry, referenced; may be NULL.
 * Returns: 0, -EEXIST, -EACCES, -EROFS, -ENOENT, -EPERM, -ENOSPC, -ENOMEM...
 */
struct make {
    mode_t mode; /* type and permissions, umask already taken off */
    dev_t rdev;
    const char *target; /* S_IFLNK */
    struct inode *link; /* not NULL: another name for this one; mode is S_IFREG */
};
int path_make(struct path_last *l, const struct make *make, struct dentry **out) MUST_CHECK;

/* Operations on names, with the errors of the calls of the same names, on user addresses. */
int path_mknod(int dirfd, vaddr_t upath, mode_t mode, dev_t rdev) MUST_CHECK;
int path_mkdir(int dirfd, vaddr_t upath, mode_t mode) MUST_CHECK;
/* rmdir (@want_dir) and unlink. */
int path_remove(int dirfd, vaddr_t upath, bool want_dir) MUST_CHECK;
int path_unlink_last(struct path_last *l) MUST_CHECK; /* unlink, for a step not taken */
int path_symlink(vaddr_t utarget, int dirfd, vaddr_t upath) MUST_CHECK;
int path_link(int olddirfd, vaddr_t uold, int newdirfd, vaddr_t unew,
              unsigned flags) MUST_CHECK;
int path_rename(int olddirfd, vaddr_t uold, int newdirfd, vaddr_t unew,
                unsigned flags) MUST_CHECK;
