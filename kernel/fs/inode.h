/*
 * inode.h - a file, whatever its names are.
 *
 *   - An inode's pages are its object, and the object's reference count is the inode's:
 *     a mapping of the file keeps the inode alive.  inode_get/inode_put are
 *     object_get/object_put.
 *   - File systems embed struct inode in their own structure, allocated by
 *     super_ops.alloc_inode.
 *   - An inode of a file system with numbers on a disk is "cached": the cache holds one
 *     reference, so that a file that nobody has open keeps its pages.  When its last link goes,
 *     the generic layer takes it out of the cache, and the last user's put frees it.
 *   - The generic layer judges permissions, types, names and existence, locks, and keeps
 *     the times; a file system's operation does its storage and the link counts, and nothing
 *     else.
 *
 * Locks: I = the inode lock, level 0; N = icache_lock (spin); D = dcache_lock (spin).
 * Order among inode locks: a directory before what is in it; two directories in one call under
 * super->rename_lock, ancestor first; last, two non-directories by address.
 */
#pragma once

#include "kernel/abi/stat.h"
#include "kernel/sched/mutex.h"
#include "mm/object.h"

struct dentry;
struct file_ops;
struct inode;
struct pipe;
struct super;
struct text;

/*
 * dir_emit_fn - takes one entry of a directory.
 *
 * @name, @len: not NUL-terminated.  @type: DT_xxx.
 * @next: the position behind this entry: where a later call goes on.
 * Does not sleep.  Returns: true if it took the entry, false to stop before it.
 */
typedef bool dir_emit_fn(void *ctx, const char *name, size_t len, ino_t ino, unsigned type,
                         uint64_t next);

/* One rename. Locked: both directories, then @victim (if any), then @inode if a directory. */
struct rename {
    struct inode *old_dir, *new_dir; /* may be the same */
    const char *old_name, *new_name;
    struct inode *inode;  /* what moves */
    struct inode *victim; /* what it replaces, or NULL; of a fitting type, not @inode */
};

/*
 * What a file system can do with one inode.  NULL: -EPERM (operations that change
 * directories), -EINVAL (readlink, truncate).
 * Names are NUL-terminated, 1 to NAME_MAX bytes, without '/', never "." or "..".
 * @dir is locked unless said otherwise.  All may sleep; none touches user memory.
 * Results through @out come with a reference for the caller.
 */
struct inode_ops {
    /* -ENOENT when there is no such name; -EIO, -ENOMEM. */
    int (*lookup)(struct inode *dir, const char *name, struct inode **out);
    /* A new file of any type but directory and link: @mode has the type; @rdev for devices.
     * The owner: inode_init_owner(). -ENOSPC, -EIO, -ENOMEM; then nothing has changed. */
    int (*create)(struct inode *dir, const char *name, mode_t mode, dev_t rdev,
                  struct inode **out);
    /* The parent's link count goes up: -EMLINK when it cannot. */
    int (*mkdir)(struct inode *dir, const char *name, mode_t mode, struct inode **out);
    /* @target: NUL-terminated, 1 to PATH_MAX-1 bytes. */
    int (*symlink)(struct inode *dir, const char *name, const char *target, struct inode **out);
    /* Another name for @inode (locked too, not a directory): nlink goes up. -EMLINK. */
    int (*link)(struct inode *dir, const char *name, struct inode *inode);
    /* Takes the name away; @inode is locked too, its nlink goes down. */
    int (*unlink)(struct inode *dir, const char *name, struct inode *inode);
    /* -ENOTEMPTY; else @inode (locked too) gets nlink 0, @dir one less. */
    int (*rmdir)(struct inode *dir, const char *name, struct inode *inode);
    /* All-or-nothing. A victim loses its link (a directory: -ENOTEMPTY, else nlink 0). */
    int (*rename)(const struct rename *r);
    /*
     * Entries from *pos on, "." and ".." included; position 0 is the first.  Stops at the end
     * or when
     * @emit says so; *pos is then the position of the first entry not taken.
     * Positions stay good while entries come and go. Returns 0 or -EIO.
     */
    int (*getdents)(struct inode *dir, uint64_t *pos, dir_emit_fn *emit, void *ctx);
    /* The target's bytes, at most @size, no NUL. Not locked. Returns the length or -Exxx. */
    ssize_t (*readlink)(struct inode *inode, char *buf, size_t size);
    /*
     * follow - a link that leads to a place rather than to a name (/proc/PID/fd/N, exe, cwd).
     * Not locked. *out: a referenced dentry. readlink still gives the text for readlink().
     * NULL: plain link.
     */
    int (*follow)(struct inode *inode, struct dentry **out);
    /* Sets a regular file's size by object_resize(), frees the rest. -EFBIG, -EIO, -ENOSPC. */
    int (*truncate)(struct inode *inode, uint64_t size);

    /* For synthetic files. */
    /* Before mode, owner, size or times are looked at: bring them up to date. Not locked. */
    void (*refresh)(struct inode *inode);
    /* False: a cached name is stale (its process has gone). Not locked, does not sleep. */
    bool (*still_valid)(struct inode *inode);
    /* Writes the whole text of the file (if fops is &text_file_ops). 0, -ENOMEM, -ESRCH. */
    int (*show)(struct inode *inode, struct text *t);
};

struct inode {
    struct object object; /* first; size and references are in here */
    struct mutex lock;
    struct super *super;
    ino_t ino;
    const struct inode_ops *ops;
    const struct file_ops *fops; /* what open() gives a file of this inode */
    mode_t mode;                 /* I to change: type and permission bits */
    uint32_t nlink;              /* I */
    uid_t uid;                   /* I to change */
    gid_t gid;                   /* I to change */
    dev_t rdev;                  /* device files */
    int writers;                 /* atomic: files open for writing; < 0: that execute it */
    int64_t atime, mtime, ctime; /* I: nanoseconds since 1970 */
    uint64_t blocks;             /* 512-byte units on the disk, for stat */
    struct pipe *pipe;           /* pipe.c: FIFOs while open */
    void *private;               /* the file system's */

    bool cached;      /* N: in the cache's hash, which holds a reference */
    bool dirty;       /* N: super_ops.write_inode has something to write */
    bool loading;     /* N: read_inode is at work (I held by the reader) */
    bool load_failed; /* N */
    uint32_t
        quiet_refs; /* atomic: references that are no users: cache, dentries, tmpfs entries */
    struct list hash_link;  /* N */
    struct list dirty_link; /* N: super->dirty_inodes */
    struct list dentries;   /* D: its names; the first one is what /proc/PID/maps prints */
};

static inline struct inode *
inode_of_object(struct object *o)
{
    return container_of(o, struct inode, object);
}

static inline void
inode_get(struct inode *i)
{
    object_get(&i->object);
}

/* May sleep and free the inode: hold no lock. NULL is fine. */
static inline void
inode_put(struct inode *i)
{
    if (i != NULL)
        object_put(&i->object);
}

static inline uint64_t
inode_size(const struct inode *i)
{
    return READ_ONCE(i->object.size);
}

/*
 * inode_new - an inode that is not on the disk, or not yet.
 *
 * Allocates by super_ops.alloc_inode and initialises the generic fields: one reference, nlink
 * 1, size 0, times now.
 * @kind, @oops: as in object_init; ops for inodes have release = inode_release, describe =
 *               inode_describe.
 * @cached: enter it into the cache under @ino (which must be free): for file systems that use
 *          inode_load.
 * Returns: 0 or -ENOMEM.
 */
int inode_new(struct super *s, ino_t ino, enum object_kind kind, const struct object_ops *oops,
              bool cached, struct inode **out) MUST_CHECK;

/* super_ops.alloc_inode and free_inode of file systems whose inodes have nothing of their own. */
struct inode *inode_alloc_plain(struct super *s);
void inode_free_plain(struct inode *i);

/*
 * inode_load - inode @ino of @s, from the cache or by super_ops.read_inode.
 *
 * Two at once get the same one, read once.  The object is initialised before
 * read_inode as OBJECT_FILE with s->file_object_ops.
 * Sleeps; may be called with a directory's lock held.
 * Returns: 0 with a reference, -ENOMEM, or what read_inode said.
 */
int inode_load(struct super *s, ino_t ino, struct inode **out) MUST_CHECK;

/*
 * inode_init_special - ops and fops for a FIFO, device or socket inode, after mode and rdev are
 * set. Regular files and directories: the file system sets ops, and fops to &regular_file_ops
 * or &directory_file_ops (file.h).
 */
void inode_init_special(struct inode *i);

/* A new inode gets @mode, the caller's fsuid, and fsgid or a set-group-ID directory's group. */
void inode_init_owner(struct inode *i, const struct inode *dir, mode_t mode);

/* Remember to write_inode it, when a generic field has changed. Does not sleep. */
void inode_mark_dirty(struct inode *i);

/* Writes the inode's metadata now if it is dirty (not its pages). Sleeps. Returns 0 or -EIO. */
int inode_write(struct inode *i) MUST_CHECK;

/* A file's pages, then metadata, to the disk; flushes its cache. Takes I for a moment. */
int inode_sync(struct inode *i) MUST_CHECK;

#define INODE_ATIME 1U
#define INODE_MTIME 2U
#define INODE_CTIME 4U
/* Sets the times to now and marks dirty; ATIME by the relatime rule. I held, save for ATIME. */
void inode_touch(struct inode *i, unsigned which);

/*
 * inode_permission - may the current thread (by fsuid and fsgid) do @want (R_OK | W_OK | X_OK)?
 * Returns: 0, -EACCES, -EROFS (writing to a file or directory of a read-only file system).
 */
int inode_permission(struct inode *i, unsigned want) MUST_CHECK;
/* True if the current thread owns the file or is root. */
bool inode_owner_or_root(const struct inode *i);

/*
 * inode_forget - nlink has become 0: out of the cache, so that the last put frees it on the
 * disk. Called by the generic layer after unlink, rmdir and rename, with no lock held.
 */
void inode_forget(struct inode *i);

/* For object_ops of inodes. */
void inode_release(struct object *o);
void inode_describe(struct object *o, char *path, size_t size, dev_t *dev, ino_t *ino);

/*
 * inode_read_kernel - through the page cache to kernel memory. Needs no lock; sleeps.
 * Returns: bytes read (short at the end of the file), -EIO, -ENOMEM.
 */
ssize_t inode_read_kernel(struct inode *i, void *buf, size_t n, off_t off) MUST_CHECK;

/* Fills in what stat() tells. Calls ops->refresh. */
void inode_stat(struct inode *i, struct abi_stat *st);

/* Drops every cached inode that nobody uses. Returns how many. Sleeps. */
unsigned inode_shrink(void);
/* Inodes alive, for the statistics. */
uint64_t inode_count(void);
/* For super.c: drop all of one file system's cached inodes that nobody uses, written or not. */
void inode_evict_super(struct super *s);
/* For super.c: write the metadata of all dirty inodes of @s. */
int inode_write_super(struct super *s) MUST_CHECK;
