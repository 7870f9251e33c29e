/*
 * super.h - a mounted file system, the kinds there are, and the mounts.
 *
 *   - A file system is mounted in one place: the dentry it covers points to it, and it points
 *     back.
 *   - fs_init() registers the kinds this layer has (ext2, tmpfs, devfs);
 *     others (procfs) register themselves with fs_type_register before fs_mount_all.
 *   - Sync: pages of all files, inodes, then super_ops.sync, then the block device's object,
 *     then its cache.
 *
 * Locks: M = mount_lock (mutex) guards the list of mounts; N = icache_lock.
 */
#pragma once

#include "kernel/abi/statfs.h"
#include "kernel/fs/inode.h"

struct block_device;

struct super_ops {
    /* Zeroed memory for an inode, the generic part anywhere inside; NULL: no memory. */
    struct inode *(*alloc_inode)(struct super *s);
    void (*free_inode)(struct inode *i);
    /* Fill in inode i->ino from the disk (its lock is held); -EIO when it makes no sense. */
    int (*read_inode)(struct inode *i);
    /* Metadata into the file system's cache, not necessarily to the disk. I held. */
    int (*write_inode)(struct inode *i);
    /*
     * The last reference has gone; its pages have been dropped. With nlink == 0: free its
     * storage and its number.  Else nothing is dirty. NULL: nothing to do.  free_inode comes
     * next.
     */
    void (*evict_inode)(struct inode *i);
    /* All the file system's own data into the device's pages; @final: it will be unmounted or
     * powered off: mark it clean. NULL: nothing. */
    int (*sync)(struct super *s, bool final);
    void (*statfs)(struct super *s, struct abi_statfs *st);
};

#define SUPER_READ_ONLY 1U /* may be set later by the file system, when it found damage */
/* Synthetic: names are not cached while unused, and no chmod, chown or utimes: -EPERM. */
#define SUPER_VOLATILE 2U
#define SUPER_HIDDEN   4U /* pipes: not in the tree */
#define SUPER_IN_MEMORY \
    8U /* names stay in the tree until they are removed: it is all there is */

struct super {
    const struct super_ops *ops;
    const struct object_ops *file_object_ops; /* what inode_load gives its objects */
    const struct fs_type *type;
    unsigned flags;            /* SUPER_xxx */
    dev_t dev;                 /* st_dev: the block device's number, or 0:n */
    uint32_t block_size;       /* for st_blksize; at least 512 */
    uint64_t max_size;         /* largest file, bytes: beyond is -EFBIG; 0 means INT64_MAX */
    struct block_device *bdev; /* NULL: without */
    struct inode *root_inode;  /* set by mount, with a reference */
    struct dentry *root;       /* made of root_inode */
    struct dentry *covers;     /* M: mount point, NULL for / */
    struct mutex rename_lock;  /* directories of this file system change places */
    struct list dirty_inodes;  /* N */
    struct list link;          /* M */
    void *private;             /* the file system's */
    char source[24];           /* for /proc/mounts */
};

struct fs_type {
    const char *name;
    bool needs_device;
    /*
     * Fill in a new super (zeroed; type, bdev, dev, locks and lists are set): ops,
     * file_object_ops, block_size, root_inode, private.  Refusals are logged by it.
     * Returns: 0, -EINVAL (not such a file system), -EIO, -ENOMEM; then it has freed what it
     *          made.
     */
    int (*mount)(struct super *s);
    /* Makes what is there from the beginning, when @root is the root; may be NULL. */
    int (*populate)(struct dentry *root);
    struct list link;
};

extern struct fs_type ext2_fs_type;
extern struct fs_type devfs_type; /* /dev: a tmpfs that is born with a file for every device */

void fs_type_register(struct fs_type *t);

/* Caches, kinds, devices; once, after dev_init(). */
void fs_init(void);

/*
 * fs_mount_root - mount block device @name ("vda") as /, read-only if the device is.
 * fs_mount_all  - then /dev, /proc, /tmp, /dev/shm, as far as kind and directory exist.
 * Returns: 0, or -Exxx with a log line.
 */
int fs_mount_root(const char *name) MUST_CHECK;
void fs_mount_all(void);

/* Mounts kind @type, with device or without, on directory @path. 0, -ENODEV, -EBUSY... */
int fs_mount(const char *source, const char *path, const char *type) MUST_CHECK;

/* sync(): everything dirty to the disks. Returns 0 or the first error. Sleeps. */
int fs_sync_all(void);
int fs_sync_super(struct super *s, bool final) MUST_CHECK;
/* The part of fsync that is not the file: super_ops.sync, the device's pages, its cache. */
int fs_sync_super_metadata(struct super *s, bool final) MUST_CHECK;

/* At power-off, after the last process: write all, mark clean. No file may be used again. */
void fs_unmount_all(void);

/* Drops every unused dentry and inode with its pages; how many. Sleeps, no lock held. */
unsigned fs_shrink_caches(void);

/* Calls @fn for each mounted file system, in order; for /proc/mounts. @path: where it is. */
void fs_for_each_mount(void (*fn)(struct super *s, const char *path, void *ctx), void *ctx);

/* For pipes and memfds: a super that is in no list. */
void super_init(struct super *s, const struct super_ops *ops);
