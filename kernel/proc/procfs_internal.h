/*
 * procfs_internal.h - what the parts of procfs share.
 *
 *   - A struct proc_node describes one kind of file: "stat of a process", not "stat of process 7".
 *   - A struct proc_inode is one file: a node, and the process, thread or
 *     descriptor that it is about.
 *   - Fixed directories have a table of nodes; others have entries with numbers for names, which
 *     are looked up when asked for.
 *   - The inode holds a reference to its process, so a pid that is used again is never mistaken;
 *     once the process has been waited for, its files say -ESRCH.
 *
 * procfs.c is the file system; each other part provides tables of nodes.
 */
#pragma once

#include "kernel/fs/super.h"
#include "kernel/fs/text.h"
#include "kernel/proc/process.h"
#include "mm/fault.h"

struct proc_inode;

/* What the numbered entries of a directory are. */
enum proc_numbers { PROC_NONE, PROC_PIDS, PROC_TIDS, PROC_FDS };

struct proc_node {
    const char *name; /* NULL ends a table */
    mode_t mode;      /* with the file type */

    /* Directories. */
    const struct proc_node *children; /* fixed entries, or NULL */
    enum proc_numbers numbers;        /* entries that are numbers */
    const struct proc_node *entry;    /* what such an entry is */

    /* Files. All may sleep and are called with no lock held. */
    int (*show)(struct proc_inode *i,
                struct text *t); /* the whole text: 0, -ESRCH, -EACCES, -EIO, -ENOMEM */
    int (*write)(struct proc_inode *i, const char *text,
                 size_t n);                         /* @text ends with NUL: 0 or -Exxx */
    int (*open)(struct proc_inode *i, bool writes); /* NULL: nothing to do */

    /*
     * Files of words: @words 64-bit words for each page, read at the number of the page times
     * their size. Puts those of the pages [first, first + n), n > 0, at @out; returns
     * how many pages there were, 0 at the end. @names: frame numbers may be told.
     */
    unsigned words;
    unsigned (*pages)(struct proc_inode *i, uint64_t first, unsigned n, uint64_t *out,
                      bool names);

    /* Files with one value that never changes: see procfs_sys.c. */
    const char *text;
    uint64_t value;

    /* Links: the text, without NUL (its length or -Exxx); and where it leads, referenced. */
    ssize_t (*readlink)(struct proc_inode *i, char *buf, size_t size);
    int (*follow)(struct proc_inode *i, struct dentry **out); /* NULL: to where the text says */
};

struct proc_inode {
    struct inode inode;
    const struct proc_node *node; /* C */
    unsigned number;              /* C: which node of the tree, for inode numbers */
    struct process *process;      /* C: with a reference; NULL: of no process */
    pid_t tid;                    /* C: in task/TID; 0: the process as a whole */
    int fd;                       /* C: an entry of fd/; else -1 */
};

#define PROC_DIR(mode)  (S_IFDIR | (mode))
#define PROC_FILE(mode) (S_IFREG | (mode))
#define PROC_LINK(mode) (S_IFLNK | (mode))

#define PROC_WALK_WORDS 5 /* the root, and an entry of each level */

#define TICKS_PER_SEC 100 /* USER_HZ */
#define NSEC_PER_TICK (NSEC_PER_SEC / TICKS_PER_SEC)
#define KIB_PER_PAGE  (PAGE_SIZE / KIB)

extern const struct proc_node proc_root_table[];    /* procfs_system.c: /proc */
extern const struct proc_node proc_sys_table[];     /* procfs_sys.c: /proc/sys */
extern const struct proc_node proc_process_table[]; /* procfs_process.c: /proc/PID */
extern const struct proc_node proc_task_table[];    /* procfs_process.c: /proc/PID/task/TID */
extern const struct file_ops proc_pages_file_ops;   /* procfs_pages.c: files of words */
extern const struct proc_node proc_vitrine_table[]; /* procfs_vitrine.c: /proc/vitrine */
extern const struct proc_node proc_fd_entry;        /* procfs_links.c: /proc/PID/fd/N */

/*
 * proc_task_locked - the thread that @i is about: TID, or the process's oldest that does not end.
 * Locks:   proc_lock held.
 * Returns: NULL when it has ended.
 */
struct task *proc_task_locked(const struct proc_inode *i);

/* True while the process of @i can be found by its pid. proc_lock held. */
bool proc_present_locked(const struct proc_inode *i);

/* What descriptor @i->fd of @i's process names, referenced, or NULL. Takes proc_lock. */
struct file *proc_file(const struct proc_inode *i);

/*
 * 0 if the current thread may look into @i's process (it is that process, or its owner if it may be
 * dumped, or root), else -EACCES or -ESRCH. proc_open_private: the same, to be a node's open.
 */
int proc_may_look(const struct proc_inode *i) MUST_CHECK;
int proc_open_private(struct proc_inode *i, bool writes) MUST_CHECK;

/*
 * proc_space - the memory of @i's process, if the current thread may look into it.
 * Returns: 0 with *out referenced, or NULL there: a zombie; -EACCES, -ESRCH.
 */
int proc_space(const struct proc_inode *i, struct space **out) MUST_CHECK;

/* procfs_links.c: the mode that says how descriptor @i->fd is open; 0: it is closed. */
mode_t proc_fd_mode(const struct proc_inode *i);

/* The files of several parts that tables name. */
int proc_show_mounts(struct proc_inode *i, struct text *t);  /* procfs_system.c */
int proc_show_cmdline(struct proc_inode *i, struct text *t); /* procfs_memory.c */
int proc_show_environ(struct proc_inode *i, struct text *t);
int proc_write_clear_refs(struct proc_inode *i, const char *text, size_t n);
int proc_show_maps(struct proc_inode *i, struct text *t);
int proc_show_smaps(struct proc_inode *i, struct text *t);
int proc_show_statm(struct proc_inode *i, struct text *t);
int proc_show_faults(struct proc_inode *i, struct text *t);
unsigned proc_pagemap(struct proc_inode *i, uint64_t first, unsigned n, uint64_t *out,
                      bool names); /* procfs_pages.c */
unsigned proc_walk(struct proc_inode *i, uint64_t first, unsigned n, uint64_t *out, bool names);
unsigned proc_kpagecount(struct proc_inode *i, uint64_t first, unsigned n, uint64_t *out,
                         bool names);
unsigned proc_kpageflags(struct proc_inode *i, uint64_t first, unsigned n, uint64_t *out,
                         bool names);

/* A line for each number; vm_lock held. procfs_memory.c */
void proc_show_fault_counts(const struct fault_counts *c, struct text *t);

/* What a space is made of, in pages, as status and statm tell it. */
struct proc_sizes {
    uint64_t total, locked, data, stack, code, library;
};
void proc_measure(struct space *s,
                  struct proc_sizes *z); /* procfs_memory.c; takes space->lock */

ssize_t proc_read_self(struct proc_inode *i, char *buf, size_t size); /* procfs_links.c */
ssize_t proc_read_thread_self(struct proc_inode *i, char *buf, size_t size);
ssize_t proc_read_exe(struct proc_inode *i, char *buf, size_t size);
ssize_t proc_read_cwd(struct proc_inode *i, char *buf, size_t size);
ssize_t proc_read_root(struct proc_inode *i, char *buf, size_t size);
int proc_follow_exe(struct proc_inode *i, struct dentry **out);
int proc_follow_cwd(struct proc_inode *i, struct dentry **out);
int proc_follow_root(struct proc_inode *i, struct dentry **out);
