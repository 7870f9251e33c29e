/*
 * dentry.h - the names of files that were looked up: a tree, and a cache.
 *
 *   - A dentry is one name in one directory.  It holds references to its parent and to its
 *     inode.
 *   - References count users: open files, working directories, children, walks.  With none, it
 *     stays in the tree as cache, in order of last use, until there are too many.
 *   - An inode that is in use some other way (mapped) keeps its unused dentry, so it keeps its
 *     name.
 *   - A name that was removed leaves the tree at once ("deleted"); its users keep it.
 *   - Names that do not exist are not remembered (SIMPLE: Linux keeps negative dentries).
 *
 * Locks: D = dcache_lock (spin).  A directory's names change only under its inode lock as well.
 */
#pragma once

#include "kernel/fs/inode.h"

#define DENTRY_INLINE 40

struct dentry {
    uint32_t refs;         /* D */
    bool deleted;          /* D: no longer in its parent */
    bool on_lru;           /* D */
    struct dentry *parent; /* D: a root's is itself */
    struct inode *inode;
    struct super *super;
    struct super *mounted; /* D: file system that covers this directory; holds a reference */
    char *name;            /* D: name_inline, or allocated; "/" for a root */
    char name_inline[DENTRY_INLINE];
    uint32_t hash;
    uint64_t position;      /* D: for getdents: grows with each name that is entered anywhere */
    struct list hash_link;  /* D */
    struct list sibling;    /* D: in parent->children */
    struct list children;   /* D */
    struct list alias_link; /* D: inode->dentries */
    struct list lru_link;   /* D */
};

void dentry_get(struct dentry *d);
/* May sleep (the inode may go); hold no inode lock. NULL is fine. */
void dentry_put(struct dentry *d);

/* The child @name of @parent if it is cached, referenced; else NULL. Does not sleep. */
struct dentry *dentry_find(struct dentry *parent, const char *name);

/* The same without asking still_valid: for callers that hold the directory's lock. */
struct dentry *dentry_find_locked(struct dentry *parent, const char *name);

/*
 * dentry_alloc makes a dentry that is nowhere yet (NULL: no memory), dentry_discard frees one
 * that was not used.  dentry_enter puts it under @parent for @inode, whose reference it takes
 * over, and keeps one to itself for the caller.  @parent's inode lock is held, and the name is
 * not in the tree; it does not sleep.  dentry_add does both; NULL: @inode is still the caller's.
 */
struct dentry *dentry_alloc(const char *name) MUST_CHECK;
void dentry_discard(struct dentry *d);
void dentry_enter(struct dentry *d, struct dentry *parent, struct inode *inode);
struct dentry *dentry_add(struct dentry *parent, const char *name,
                          struct inode *inode) MUST_CHECK;

/* The root of a file system; @inode's reference passes to it. NULL: no memory. */
struct dentry *dentry_root(struct super *s, struct inode *inode) MUST_CHECK;

/* The name has been removed. Parent's inode lock held, the caller has a reference. */
void dentry_remove(struct dentry *d);

/*
 * dentry_rename_prepare - memory for a later dentry_rename to @name; NULL in *spare if none is
 * needed.
 * dentry_rename - @d is now @name in @parent; uses *spare, and gives back in *spare what to
 * kfree.  Never fails. Returns the old parent, whose reference is now the caller's to put.
 */
int dentry_rename_prepare(const char *name, char **spare) MUST_CHECK;
struct dentry *dentry_rename(struct dentry *d, struct dentry *parent, const char *name,
                             char **spare);

/* True if @a is @d or above it, in one file system. */
bool dentry_is_ancestor(struct dentry *a, struct dentry *d);

/* @d's parent across mounts ("..": stays at @root), referenced. */
struct dentry *dentry_dotdot(struct dentry *d, struct dentry *root);

/* If something is mounted on @d: its root (referenced; @d is put), again and again; else @d. */
struct dentry *dentry_cross(struct dentry *d);

/*
 * dentry_path - the absolute path of @d, seen from the root @root (NULL: the system's).
 * @buf, @size: receives it, with NUL.
 * Returns: its length; -ERANGE when it does not fit; *deleted tells whether a part of it was
 *          removed.
 */
ssize_t dentry_path(struct dentry *d, struct dentry *root, char *buf, size_t size,
                    bool *deleted);

/* A name of @inode, referenced, or NULL. */
struct dentry *dentry_of_inode(struct inode *inode);

/*
 * For directories whose names are all in the tree (SUPER_IN_MEMORY), directory locked:
 * dentry_getdents is inode_ops.getdents; dentry_has_children tells whether there are any.
 */
int dentry_getdents(struct inode *dir, uint64_t *pos, dir_emit_fn *emit, void *ctx);
bool dentry_has_children(struct inode *dir);

/* True if a directory has a name in the tree already. */
bool dentry_known(struct inode *inode);

/* Drops the oldest unused dentries but @keep. Returns how many. Sleeps, no lock held. */
unsigned dentry_shrink(unsigned keep);
/* The same when there are more than the machine's size allows; called now and then. */
void dentry_trim(void);
void dentry_init(void);
uint64_t dentry_count(void);
