/*
 * ext2_internal.h - what the files of ext2 share among themselves.
 *
 *     ext2_super  mount, counts, clean or not, sync
 *     ext2_name   lookup, create, link, rename: the inode_ops
 *     ext2_dir    entries of one directory
 *     ext2_inode  inodes from and to the inode table
 *     ext2_file   pages of files, sizes
 *     ext2_map    which block holds which part of a file
 *     ext2_alloc  bitmaps
 *     ext2_io     blocks of metadata in the page cache; runs of blocks to and from the disk
 *
 * Locks, in this order: I = inode lock; M = ei->map_lock, one inode's block pointers, held also
 * while its pages are written, so that no block gets a new owner during that; L = fs->lock,
 * bitmaps and counts; T = fs->state_lock; then those of the page cache.  None but I is held
 * while a page of a file or directory is asked for.
 */
#pragma once

#include "kernel/dev/block.h"
#include "kernel/fs/ext2_format.h"
#include "kernel/fs/super.h"

/* What is kept of a group descriptor. The places never change, the counts belong to L. */
struct ext2_group {
    uint32_t block_bitmap, inode_bitmap, inode_table; /* block numbers, checked at mount */
    uint32_t free_blocks, free_inodes, used_dirs;     /* L */
    bool dirty; /* L: the descriptor on the disk is older */
};

struct ext2_fs {
    struct super *super;
    struct block_device *dev;
    struct object meta;          /* page n is block n: ext2_io.c */
    struct ext2_super_block *sb; /* T to change; goes to the disk at sync */

    /* Geometry: set at mount. */
    uint32_t block_size, block_shift;
    uint32_t blocks_count, first_data_block, blocks_per_group;
    uint32_t inodes_count, inodes_per_group, inode_size, first_ino;
    uint32_t groups, desc_blocks; /* blocks that the descriptors take */
    uint32_t table_blocks;        /* of one group's inode table */
    uint32_t reserved_blocks;     /* for root */
    bool filetype, sparse_super;
    bool read_only;        /* device or features: nothing is ever written */
    bool errors_read_only; /* s_errors: damage makes it read-only */

    struct mutex lock;
    struct ext2_group *group; /* L: groups of them */
    uint32_t group_pages;     /* of kvmap_alloc */
    uint64_t free_blocks;     /* L */
    uint64_t free_inodes;     /* L */

    struct mutex state_lock;
    bool sb_dirty;         /* T: something of it has changed */
    bool changed;          /* T to change: the disk says "not clean" since the first change */
    bool was_valid;        /* the disk said so at mount */
    uint32_t orphans;      /* atomic: inodes in use without a name */
    bool damaged;          /* ext2_corrupt was called, now or before */
    uint32_t damage_lines; /* in the log so far */
};

struct ext2_inode {
    struct inode inode;
    struct mutex map_lock;
    uint32_t block[EXT2_BLOCKS]; /* M: i_block; in links the target, in devices their number */
    uint32_t flags;              /* I: i_flags */
    uint32_t file_acl;           /* block of extended attributes, 0: none; never looked into */
    uint32_t last_block; /* M: the block allocated last: the next one's goal is behind it */
    uint64_t end_block;  /* M: no block from here on, or some that may be trimmed */
    uint64_t full;       /* I: directories: up to here they had no room for a name lately */
    bool fresh;          /* I: not yet in the inode table, which holds an older one's bytes */
};

#define EXT2_FLAG_INDEX 0x1000U /* a hashed directory */

static inline struct ext2_fs *
ext2_fs_of(const struct inode *i)
{
    return i->super->private;
}

static inline struct ext2_inode *
ext2_inode_of(struct inode *i)
{
    return container_of(i, struct ext2_inode, inode);
}

/* --- ext2_super.c --- */

extern const struct super_ops ext2_super_ops;

/* Frees all of it; called when the last reference to the meta object has gone. */
void ext2_fs_free(struct ext2_fs *fs);

/* The disk holds what cannot be: logs the first few, remembers it for e2fsck. Returns -EIO. */
int ext2_corrupt(struct ext2_fs *fs, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * ext2_begin_change - call before anything is changed: the first time the disk is marked "not
 * clean". Takes T; sleeps the first time.  Returns 0, -EROFS, -EIO, -ENOMEM.
 */
int ext2_begin_change(struct ext2_fs *fs) MUST_CHECK;

/* A file is about to grow beyond 2 GiB: sets LARGE_FILE. Takes T; sleeps. */
void ext2_allow_large_file(struct ext2_fs *fs);

/* --- ext2_io.c --- */

/* Transfers one way, gathered into one request while they follow each other; on a stack. */
struct ext2_run {
    struct ext2_fs *fs;
    uint64_t next; /* the sector behind what was gathered */
    int error;     /* the first one */
    struct block_request req;
};
void ext2_run_begin(struct ext2_run *r, struct ext2_fs *fs, bool write);
/* Adds @len bytes at @pa, to or from the beginning of @block. May sleep. */
void ext2_run_add(struct ext2_run *r, uint32_t block, paddr_t pa, uint32_t len);
/* Sends the rest. Returns 0 or the first error. */
int ext2_run_finish(struct ext2_run *r) MUST_CHECK;

extern const struct object_ops ext2_meta_ops;

/* A block of metadata, pinned in the page cache. */
struct ext2_buf {
    struct frame *frame;
    void *data; /* block_size bytes */
};
/* Reads block @block < blocks_count. Sleeps. 0, -EIO, -ENOMEM. */
int ext2_buf_get(struct ext2_fs *fs, uint32_t block, struct ext2_buf *b) MUST_CHECK;
/* The same where things are freed, no time to give up: waits for memory, a second at most. */
int ext2_buf_get_patiently(struct ext2_fs *fs, uint32_t block, struct ext2_buf *b) MUST_CHECK;
/* The same for a block that has just been allocated: zeros, nothing is read. */
int ext2_buf_new(struct ext2_fs *fs, uint32_t block, struct ext2_buf *b) MUST_CHECK;
void ext2_buf_put(struct ext2_fs *fs, struct ext2_buf *b, bool dirty);
/* Writes what is dirty of @block, which is no longer metadata and has no pins. 0 or -EIO. */
int ext2_buf_forget(struct ext2_fs *fs, uint32_t block) MUST_CHECK;

/* --- ext2_alloc.c --- */

uint32_t ext2_group_first_block(const struct ext2_fs *fs, uint32_t group);
/* True if it begins with copies of the superblock and the descriptors. */
bool ext2_group_has_super(const struct ext2_fs *fs, uint32_t group);
/* True if [block, block + count) may belong to files. */
bool ext2_block_valid(const struct ext2_fs *fs, uint32_t block, uint32_t count);

/*
 * ext2_block_alloc - take a free block, @goal if possible, else one near it. Takes L; sleeps.
 * Returns 0, -ENOSPC (what is left may be root's alone), -EIO, -ENOMEM.
 */
int ext2_block_alloc(struct ext2_fs *fs, uint32_t goal, uint32_t *out) MUST_CHECK;
/* Gives blocks back. Takes L; sleeps. 0; -EIO, -ENOMEM: some stay allocated. */
int ext2_block_free(struct ext2_fs *fs, uint32_t block, uint32_t count);

/* A free inode near that of directory @parent. Takes L; sleeps. 0, -ENOSPC, -EIO, -ENOMEM. */
int ext2_inode_alloc(struct ext2_fs *fs, uint32_t parent, bool dir, uint32_t *out) MUST_CHECK;
/* Gives one back. Takes L; sleeps. */
int ext2_inode_free(struct ext2_fs *fs, uint32_t ino, bool dir);
/* Is it allocated? 1, 0, -EIO, -ENOMEM. Takes L; sleeps. */
int ext2_inode_used(struct ext2_fs *fs, uint32_t ino) MUST_CHECK;

/* --- ext2_map.c --- */

/*
 * ext2_map_get - where blocks of a file are.
 *
 * @first, @n: blocks [first, first + n) of the file, n <= what @out has room for.
 * @out:       receives the block numbers on the disk, 0 for holes.
 * M held; sleeps. Returns 0, -EIO, -ENOMEM.
 */
int ext2_map_get(struct ext2_inode *ei, uint64_t first, unsigned n, uint32_t *out) MUST_CHECK;
/*
 * Gives block @lblk of the file a place if it has none. M held; sleeps. 0, -ENOSPC, -EFBIG,
 * -EIO, -ENOMEM; then nothing changed.
 */
int ext2_map_alloc(struct ext2_inode *ei, uint64_t lblk, uint32_t *out) MUST_CHECK;
/*
 * Frees all blocks of the file at and behind @first; the caller marks the inode dirty. M held;
 * sleeps. 0; -EIO, -ENOMEM: some stay allocated.
 */
int ext2_map_truncate(struct ext2_inode *ei, uint64_t first);
/* The number of blocks that the map can hold. */
uint64_t ext2_map_limit(const struct ext2_fs *fs);

/* --- ext2_inode.c --- */

/* For super_ops; contracts in super.h. */
struct inode *ext2_alloc_inode(struct super *s);
void ext2_free_inode(struct inode *i);
int ext2_read_inode(struct inode *i);
int ext2_write_inode(struct inode *i);
void ext2_evict_inode(struct inode *i);
/* ops and fops by the type in i->mode. */
void ext2_set_ops(struct inode *i);
/* True if i_block holds block numbers, not a link's target or a device's number. */
bool ext2_has_blocks(struct inode *i);

/* --- ext2_file.c --- */

extern const struct object_ops ext2_object_ops;

/* For inode_ops. */
int ext2_truncate(struct inode *i, uint64_t size);

/* --- ext2_dir.c --- all with the directory's I held; all sleep. */

/* An entry in a page that is pinned. */
struct ext2_slot {
    struct frame *frame;
    struct ext2_dirent *de;
};
void ext2_slot_put(struct inode *dir, struct ext2_slot *s, bool dirty);

/* Finds @name; 0 and *s pinned, -ENOENT, -EIO, -ENOMEM. */
int ext2_dir_find(struct inode *dir, const char *name, struct ext2_slot *s) MUST_CHECK;
/* Adds an entry; the name is not there. 0, -ENOSPC, -EIO, -ENOMEM; then nothing changed. */
int ext2_dir_add(struct inode *dir, const char *name, uint32_t ino, mode_t mode) MUST_CHECK;
/* Takes the entry of a slot out, and puts the slot. Cannot fail. */
void ext2_dir_remove(struct inode *dir, struct ext2_slot *s);
/* Makes the entry name another inode, and puts the slot. */
void ext2_dir_replace(struct inode *dir, struct ext2_slot *s, uint32_t ino, mode_t mode);
/* The first block of a new directory, which needs no lock yet. 0, -ENOSPC, -EIO, -ENOMEM. */
int ext2_dir_make_empty(struct inode *dir, uint32_t parent) MUST_CHECK;
/* 1, 0 or -Exxx. */
int ext2_dir_is_empty(struct inode *dir) MUST_CHECK;
/* The same for "..", which there must be, so -EIO if not. The parent's I is enough. */
int ext2_dir_dotdot(struct inode *dir, struct ext2_slot *s) MUST_CHECK;
int ext2_getdents(struct inode *dir, uint64_t *pos, dir_emit_fn *emit, void *ctx);

/* --- ext2_name.c --- */

extern const struct inode_ops ext2_dir_ops, ext2_file_ops, ext2_link_ops, ext2_special_ops;
