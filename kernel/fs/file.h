/*
 * file.h - an open file, and a process's table of them.
 *
 *   - struct file is what POSIX calls the open file description: dup() and fork() share it,
 *     offset and all.
 *   - struct files is the table of descriptors; threads hold a pointer to one (thread->files).
 *   - User memory is touched with no inode lock held: see rw.c.
 *
 * Locks: L = files->lock (spin); P = offset_lock (mutex, taken before an inode lock).  A = atomic,
 *        C = constant once it is open.
 */
#pragma once

#include "kernel/abi/fcntl.h"
#include "kernel/arch/uio.h"
#include "kernel/fs/dentry.h"
#include "kernel/fs/poll.h"

struct file;

/*
 * What can be done with an open file.  NULL: -EINVAL for read, write and seek, -ENOTTY for
 * ioctl, always ready for poll, nothing to do for open, release.  All may sleep, no lock is
 * held save P (read and write that move the offset).
 */
struct file_ops {
    /* Inode and dentry are referenced; may set file->private and replace file->fops. */
    int (*open)(struct file *f);
    void (*release)(struct file *f);
    /* Moves *pos forward by the bytes moved, and returns them; -Exxx only when none were. */
    ssize_t (*read)(struct file *f, struct uio *u, off_t *pos);
    ssize_t (*write)(struct file *f, struct uio *u, off_t *pos);
    /* @arg: the third argument as it came. -ENOTTY for what it does not know. */
    int64_t (*ioctl)(struct file *f, unsigned cmd, uint64_t arg);
    /* Ready events (POLLxxx). @t, if not NULL: where to wait, by poll_wait(). No sleep. */
    unsigned (*poll)(struct file *f, struct poll_table *t);
    /* The new offset. NULL: as for a stream without places, -ESPIPE. */
    off_t (*seek)(struct file *f, off_t off, int whence);
    /*
     * What a mapping of this file shows: *out with a reference; NULL in it: zeros (private) of
     * its own. NULL here: -ENODEV.
     */
    int (*mmap)(struct file *f, bool shared, uint64_t length, struct object **out);
};

struct file {
    uint32_t refs; /* A */
    uint32_t
        flags;    /* A: O_ACCMODE and status flags; file_set_flags changes O_APPEND and such */
    off_t offset; /* P */
    struct mutex offset_lock;
    struct inode *inode;
    struct dentry *dentry; /* NULL: pipes and memfds */
    const struct file_ops *fops;
    void *private;            /* fops' own */
    pid_t owner;              /* A: F_SETOWN: kept, not used */
    bool flocked;             /* A: flock() was called: closing looks for its lock */
    bool stream;              /* C: has no offset: P is not taken */
    int8_t writers;           /* C: what it adds to inode->writers: 1 writes, -1 executes */
    uint64_t no_writer_since; /* pipe.c: writers a FIFO had had when this reader found none */
};

extern const struct file_ops regular_file_ops;
extern const struct file_ops directory_file_ops;

static inline bool
file_readable(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_WRONLY && (f->flags & O_PATH) == 0;
}

static inline bool
file_writable(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_RDONLY && (f->flags & O_PATH) == 0;
}

/* Those of f->flags that @mask names become as in @flags; others may change others meanwhile. */
void file_set_flags(struct file *f, uint32_t mask, uint32_t flags);

void file_get(struct file *f);
/* May sleep: the last one closes. Hold no lock. NULL is fine. */
void file_put(struct file *f);

/*
 * file_new - an open file of @inode. References to @inode and @dentry (may be NULL) are taken.
 * Calls fops->open.  Returns 0, -ENOMEM, -ETXTBSY (to write to a running program) or open's own.
 */
int file_new(struct inode *inode, struct dentry *dentry, unsigned flags,
             struct file **out) MUST_CHECK;

/* Opens a path from the kernel to be read. Sleeps. */
int file_open_path(const char *path, struct file **out) MUST_CHECK;
/*
 * file_replace_path - a new file to be written, in the place of the one that was there or of a
 * link (core dumps).
 * Returns: 0, -EISDIR, -EACCES, -ENOSPC...; -EEXIST when another came in between.
 */
int file_replace_path(const char *path, mode_t mode, struct file **out) MUST_CHECK;
/*
 * file_open_at - open a file to execute it (execve, execveat).
 * @flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH.
 * Returns: 0, readable; -EACCES when it is no regular file or the caller may not execute it;
 *          -ENOENT...
 */
int file_open_at(int dirfd, const char *path, unsigned flags, struct file **out) MUST_CHECK;
/* The whole of openat(). */
int file_openat(int dirfd, vaddr_t upath, unsigned flags, mode_t mode,
                struct file **out) MUST_CHECK;
/* Opens what a dentry names (permissions are checked; no O_CREAT, O_TRUNC is done). */
int file_open_dentry(struct dentry *d, unsigned flags, struct file **out) MUST_CHECK;

/*
 * May it be executed: a regular file with an x bit for the caller, that nobody writes to; and
 * until @f is closed nobody may.  Returns 0, -EACCES or -ETXTBSY.
 */
int file_check_exec(struct file *f) MUST_CHECK;

/*
 * file_read, file_write - at *pos, or with pos == NULL at the file's own offset. Check the
 * access mode (-EBADF) and O_APPEND. -ESPIPE for a position on a stream. file_write of a pipe
 * without reader: -EPIPE, after SIGPIPE was raised.
 */
ssize_t file_read(struct file *f, struct uio *u, off_t *pos) MUST_CHECK;
ssize_t file_write(struct file *f, struct uio *u, off_t *pos) MUST_CHECK;
/* Whole buffers of kernel memory, at the file's own offset (core dumps). */
ssize_t file_write_kernel(struct file *f, const void *buf, size_t n) MUST_CHECK;

off_t file_seek(struct file *f, off_t off, int whence) MUST_CHECK;
unsigned file_poll(struct file *f, struct poll_table *t);

/*
 * inode_read_uio, inode_write_uio - what read and write of a regular file do, for other files
 * with pages.
 * @append: *pos is set to the end, under the inode lock. No lock may be held.
 * inode_seek: the new offset, from @now; -EINVAL, -ENXIO, -EOVERFLOW.
 */
ssize_t inode_read_uio(struct inode *i, struct uio *u, off_t *pos) MUST_CHECK;
ssize_t inode_write_uio(struct inode *i, struct uio *u, off_t *pos, bool append) MUST_CHECK;
off_t inode_seek(struct inode *i, off_t now, off_t off, int whence) MUST_CHECK;

/* ftruncate; also truncate() by way of an inode: checks type and size. */
int inode_truncate(struct inode *i, uint64_t size) MUST_CHECK;

/*
 * file_mmap_object - what mmap() of @f maps.
 * @shared, @write: MAP_SHARED; PROT_WRITE asked for (or may be asked for later).
 * Returns: 0, *out referenced or NULL for private zeros; -EACCES, -ENODEV, -EBADF.
 */
int file_mmap_object(struct file *f, bool shared, bool write, uint64_t length,
                     struct object **out) MUST_CHECK;

/*
 * file_path - as /proc shows it: the absolute path, with " (deleted)" when it is gone;
 * "pipe:[7]" and the like. Always NUL-terminated, cut to @size. Returns the length.
 */
size_t file_path(struct file *f, char *buf, size_t size);
/* The same for an inode (a mapping's): by one of its names. */
size_t inode_path(struct inode *i, char *buf, size_t size);

/*
 * How files raise a signal in the current thread's process: SIGPIPE when a write finds a pipe
 * without reader, SIGXFSZ when a file would outgrow RLIMIT_FSIZE. No lock held.
 */
void fs_set_signal_hook(void (*hook)(int sig));
void fs_raise(int sig);

/* Open files alive. */
uint64_t file_count(void);

#define FILES_CHUNK   64
#define FILES_CHUNKS  64
#define FILES_MAX     (FILES_CHUNK * FILES_CHUNKS) /* 4096: hard limit of RLIMIT_NOFILE */
#define FILES_DEFAULT 1024

struct fd_chunk;

struct files {
    uint32_t refs; /* atomic */
    struct spinlock lock;
    unsigned limit;                        /* L: RLIMIT_NOFILE, soft; at most FILES_MAX */
    uint64_t size_limit;                   /* RLIMIT_FSIZE, soft: bytes; UINT64_MAX: none */
    unsigned lowest_free;                  /* L: no free descriptor is below */
    struct fd_chunk *chunks[FILES_CHUNKS]; /* L */
};

struct files *files_new(void) MUST_CHECK; /* empty; NULL: no memory */
struct files *
files_fork(struct files *from) MUST_CHECK; /* a copy that shares the files; NULL: no memory */
void files_get(struct files *t);
/* The last put closes all. Sleeps. NULL is fine. */
void files_put(struct files *t);
/* execve: closes what has FD_CLOEXEC. The table must be unshared. */
void files_close_on_exec(struct files *t);
void files_set_limit(struct files *t, unsigned limit);
/* RLIMIT_FSIZE: regular files do not grow beyond @bytes (-EFBIG and SIGXFSZ). */
void files_set_size_limit(struct files *t, uint64_t bytes);
/* That of the current thread. */
uint64_t files_size_limit(void);

/* The current thread's file of descriptor @fd, O_PATH or not, referenced; NULL: -EBADF. */
struct file *fd_get(int fd);
/* The same for any table, and with its flags; for /proc/PID/fd. */
struct file *files_get_file(struct files *t, int fd);
/* The lowest descriptor in use at or above @fd, or -1. */
int files_next(struct files *t, int fd);

/*
 * fd_install - the lowest free descriptor >= @min for @f, whose reference passes to the table.
 * Returns: it, or -EMFILE, -EINVAL (@min beyond the limit), -ENOMEM; then the reference is
 *          still the caller's.
 */
int fd_install(struct file *f, int min, bool cloexec) MUST_CHECK;
/* 0 if a descriptor is free, else -EMFILE: asked before making what would have none. */
int fd_room(void) MUST_CHECK;
/* dup2: @fd becomes @f (reference passes); what was there is closed. 0 or -EBADF, -ENOMEM. */
int fd_replace(int fd, struct file *f, bool cloexec) MUST_CHECK;
/* close(). 0 or -EBADF. */
int fd_close(int fd) MUST_CHECK;
int fd_get_cloexec(int fd); /* 0, 1 or -EBADF */
int fd_set_cloexec(int fd, bool on);
