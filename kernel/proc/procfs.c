/*
 * procfs.c - /proc as a file system: inodes that live as long as somebody looks at them.
 *
 * Nothing is stored.  A name that is looked up becomes an inode made of a node of the tables
 * and a process; it goes when the last user lets it go (SUPER_VOLATILE).  A process
 * that has been waited for is gone from its directory at once, and files of it that
 * are still open answer -ESRCH.
 *
 * Called by the file layer through inode_ops and file_ops.
 */
#include "kernel/proc/procfs.h"

#include "kernel/abi/dirent.h"
#include "kernel/abi/errno.h"
#include "kernel/abi/fcntl.h"
#include "kernel/arch/cpu.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_internal.h"
#include "mm/kmalloc.h"
#include "mm/space.h"

#define TABLE_MAX      48   /* entries of one table: inode numbers are made of their places */
#define FIRST_NUMBERED 1000 /* directory position of the entry named "0" */
#define WRITE_MAX      127  /* bytes that one write may bring */

static const struct inode_ops proc_dir_ops, proc_file_inode_ops, proc_link_ops, proc_magic_ops;
static const struct object_ops proc_object_ops = {.release = inode_release,
                                                  .describe = inode_describe};
static struct file_ops proc_file_ops; /* text_file_ops with write */

static const struct proc_node proc_root = {
    .mode = PROC_DIR(0555),
    .children = proc_root_table,
    .numbers = PROC_PIDS,
    .entry = &(const struct proc_node){.mode = PROC_DIR(0555), .children = proc_process_table},
};

static struct proc_inode *
proc_of(struct inode *i)
{
    return container_of(i, struct proc_inode, inode);
}

/* ---- processes ---- */

bool
proc_present_locked(const struct proc_inode *i)
{
    return i->process == NULL || !list_empty(&i->process->all_link);
}

struct task *
proc_task_locked(const struct proc_inode *i)
{
    struct task *t;

    list_for_each (t, &i->process->tasks, link)
        if (i->tid != 0 ? t->tid == i->tid : !t->ending)
            return t;
    return i->tid == 0 ? list_first(&i->process->tasks, struct task, link) : NULL;
}

int
proc_space(const struct proc_inode *i, struct space **out)
{
    /* In this order: what is found after an exec with other rights, is judged after it too. */
    *out = process_space(i->process);
    int err = proc_may_look(i);

    if (err == 0 && *out != NULL && !process_may_look_into(*out))
        err = -EACCES;
    if (err != 0 && *out != NULL)
        space_put(*out);
    return err;
}

/*
 * The descriptors of @i's process, or NULL.  proc_lock held, and that is what keeps them: a
 * reference of ours would make its exec, or its end, believe that others use them too.
 */
static struct files *
files_locked(const struct proc_inode *i)
{
    struct task *t = proc_present_locked(i) ? proc_task_locked(i) : NULL;

    return t != NULL ? t->thread->files : NULL;
}

struct file *
proc_file(const struct proc_inode *i)
{
    spin_lock(&proc_lock);
    struct file *f = files_get_file(files_locked(i), i->fd);
    spin_unlock(&proc_lock);
    return f;
}

/* @t is its user's alone, who is @c, and keeps no secrets from him. */
static bool
is_open_to(const struct thread *t, const struct cred *c)
{
    const struct cred *o = t->cred;

    return (t->space == NULL || t->space->dumpable) &&
           (o == NULL || (c->fsuid == o->uid && c->fsuid == o->euid && c->fsuid == o->suid));
}

int
proc_may_look(const struct proc_inode *i)
{
    const struct cred *c = current_thread()->cred;
    int err = 0;

    spin_lock(&proc_lock);
    struct task *t = proc_task_locked(i);
    if (!proc_present_locked(i))
        err = -ESRCH;
    else if (t != NULL && i->process != current_process() && !cred_privileged_fs(c) &&
             !is_open_to(t->thread, c))
        err = -EACCES;
    spin_unlock(&proc_lock);
    return err;
}

int
proc_open_private(struct proc_inode *i, bool writes UNUSED)
{
    return proc_may_look(i);
}

/* ---- inodes ---- */

/* A table's index and its directory's number make a number that no other node has. */
static unsigned
child_number(unsigned parent, unsigned place)
{
    return parent * TABLE_MAX + place + 1;
}

/* @id: of the thread or process; 0: of none. @number < 2^24. */
static ino_t
make_ino(int id, int fd, unsigned number)
{
    return (ino_t)id << 40 | (ino_t)(fd + 1) << 24 | number;
}

static void
init_operations(struct proc_inode *pi)
{
    struct inode *i = &pi->inode;

    i->mode = pi->node->mode;
    if (S_ISDIR(i->mode)) {
        i->ops = &proc_dir_ops;
        i->fops = &directory_file_ops;
    } else if (S_ISLNK(i->mode)) {
        i->ops = pi->node->follow != NULL ? &proc_magic_ops : &proc_link_ops;
    } else {
        i->ops = &proc_file_inode_ops;
        i->fops = pi->node->pages != NULL ? &proc_pages_file_ops : &proc_file_ops;
    }
}

/* The inode of @node; the reference to @process passes to it, also on failure. */
static int
proc_make(struct super *s, const struct proc_node *node, unsigned number,
          struct process *process, pid_t tid, int fd, struct inode **out)
{
    int id = tid != 0 ? tid : process != NULL ? process->pid : 0;
    int err = inode_new(s, make_ino(id, fd, number), OBJECT_FILE, &proc_object_ops, false, out);

    if (err != 0) {
        if (process != NULL)
            process_put(process);
        return err;
    }
    struct proc_inode *pi = proc_of(*out);
    pi->node = node;
    pi->number = number;
    pi->process = process;
    pi->tid = tid;
    pi->fd = fd;
    init_operations(pi);
    return 0;
}

static struct inode *
proc_alloc_inode(struct super *s UNUSED)
{
    struct proc_inode *pi = kzalloc(sizeof(*pi));

    return pi != NULL ? &pi->inode : NULL;
}

static void
proc_free_inode(struct inode *i)
{
    struct proc_inode *pi = proc_of(i);

    if (pi->process != NULL)
        process_put(pi->process);
    kfree(pi);
}

/* The owner is the process's effective user, and a descriptor's mode says how it is open. */
static void
proc_refresh(struct inode *i)
{
    struct proc_inode *pi = proc_of(i);

    if (pi->process == NULL)
        return;
    spin_lock(&proc_lock);
    struct task *t = proc_task_locked(pi);
    if (t != NULL && t->thread->cred != NULL) {
        i->uid = t->thread->cred->euid;
        i->gid = t->thread->cred->egid;
    }
    spin_unlock(&proc_lock);
    if (pi->fd >= 0)
        i->mode = S_IFLNK | proc_fd_mode(pi);
}

static bool
proc_still_valid(struct inode *i)
{
    struct proc_inode *pi = proc_of(i);

    spin_lock(&proc_lock);
    bool valid = proc_present_locked(pi) && (pi->tid == 0 || proc_task_locked(pi) != NULL);
    spin_unlock(&proc_lock);
    return valid && (pi->fd < 0 || proc_fd_mode(pi) != 0);
}

/* ---- directories ---- */

/* The first thread id of @i's process at or above @n, or -1. */
static int
next_tid(const struct proc_inode *i, int n)
{
    struct task *t;
    int best = -1;

    spin_lock(&proc_lock);
    if (proc_present_locked(i)) {
        list_for_each (t, &i->process->tasks, link)
            if (t->tid >= n && (best < 0 || t->tid < best))
                best = t->tid;
    }
    spin_unlock(&proc_lock);
    return best;
}

/* The first number at or above @n that is an entry of @dir, or -1. */
static int
next_number(const struct proc_inode *dir, int n)
{
    int found = -1;

    if (dir->node->numbers == PROC_PIDS) {
        struct process *p = process_next(n);
        if (p != NULL) {
            found = p->pid;
            process_put(p);
        }
    } else if (dir->node->numbers == PROC_TIDS) {
        found = next_tid(dir, n);
    } else if (dir->node->numbers == PROC_FDS) {
        spin_lock(&proc_lock);
        struct files *files = files_locked(dir);
        if (files != NULL)
            found = files_next(files, n);
        spin_unlock(&proc_lock);
    }
    return found;
}

/* A decimal number as we print it: no sign, no leading zero. -1: it is none. */
static int
name_to_number(const char *name)
{
    const char *end;

    if (strlen(name) > 9 || name[0] < '0' || name[0] > '9' ||
        (name[0] == '0' && name[1] != '\0'))
        return -1;
    uint64_t n = strtou64(name, &end, 10);
    return *end == '\0' ? (int)n : -1;
}

static int
lookup_number(struct proc_inode *dir, int n, struct inode **out)
{
    struct super *s = dir->inode.super;
    const struct proc_node *entry = dir->node->entry;
    unsigned number = child_number(dir->number, TABLE_MAX - 1);
    struct process *p = dir->process;

    if (dir->node->numbers == PROC_PIDS) {
        p = process_find(n);
        return p != NULL ? proc_make(s, entry, number, p, 0, -1, out) : -ENOENT;
    }
    if (next_number(dir, n) != n)
        return -ENOENT;
    process_get(p);
    if (dir->node->numbers == PROC_TIDS)
        return proc_make(s, entry, number, p, n, -1, out);
    return proc_make(s, entry, number, p, dir->tid, n, out);
}

static int
proc_lookup(struct inode *i, const char *name, struct inode **out)
{
    struct proc_inode *dir = proc_of(i);
    const struct proc_node *table = dir->node->children;
    int n = dir->node->numbers != PROC_NONE ? name_to_number(name) : -1;

    if (n >= 0)
        return lookup_number(dir, n, out);
    if (!proc_still_valid(i))
        return -ENOENT;
    for (unsigned k = 0; table != NULL && table[k].name != NULL; k++) {
        if (strcmp(table[k].name, name) != 0)
            continue;
        if (dir->process != NULL)
            process_get(dir->process);
        return proc_make(i->super, &table[k], child_number(dir->number, k), dir->process,
                         dir->tid, -1, out);
    }
    return -ENOENT;
}

/* Emits the fixed entry at position *pos: 1: taken, 0: not taken, -1: there is none. */
static int
emit_fixed(struct proc_inode *dir, uint64_t pos, dir_emit_fn *emit, void *ctx)
{
    const struct proc_node *table = dir->node->children;

    if (pos < 2)
        return emit(ctx, "..", pos + 1, dir->inode.ino, DT_DIR, pos + 1);
    for (uint64_t k = 0; table != NULL && table[k].name != NULL; k++) {
        if (k != pos - 2)
            continue;
        ino_t ino =
            make_ino((int)(dir->inode.ino >> 40), -1, child_number(dir->number, (unsigned)k));
        return emit(ctx, table[k].name, strlen(table[k].name), ino, DT_OF_MODE(table[k].mode),
                    pos + 1);
    }
    return -1;
}

/* The inode number that lookup_number() will give the entry @n. */
static ino_t
numbered_ino(const struct proc_inode *dir, int n)
{
    unsigned number = child_number(dir->number, TABLE_MAX - 1);

    if (dir->node->numbers == PROC_FDS)
        return make_ino((int)(dir->inode.ino >> 40), n, number);
    return make_ino(n, -1, number);
}

static int
proc_getdents(struct inode *i, uint64_t *pos, dir_emit_fn *emit, void *ctx)
{
    struct proc_inode *dir = proc_of(i);
    char name[12];

    while (*pos < FIRST_NUMBERED) {
        int taken = emit_fixed(dir, *pos, emit, ctx);
        if (taken == 0)
            return 0;
        *pos = taken > 0 ? *pos + 1 : FIRST_NUMBERED;
    }
    while (dir->node->numbers != PROC_NONE && *pos - FIRST_NUMBERED <= INT32_MAX) {
        int n = next_number(dir, (int)(*pos - FIRST_NUMBERED));
        if (n < 0)
            break;
        uint64_t next = FIRST_NUMBERED + (uint64_t)n + 1;
        int len = snprintf(name, sizeof(name), "%d", n);
        if (!emit(ctx, name, (size_t)len, numbered_ino(dir, n),
                  DT_OF_MODE(dir->node->entry->mode), next))
            break;
        *pos = next;
    }
    return 0;
}

/* ---- files and links ---- */

static int
proc_show(struct inode *i, struct text *t)
{
    struct proc_inode *pi = proc_of(i);

    if (pi->node->show == NULL)
        return -EINVAL;
    return proc_still_valid(i) ? pi->node->show(pi, t) : -ESRCH;
}

static int
proc_open(struct file *f)
{
    struct proc_inode *pi = proc_of(f->inode);
    int err = 0;

    if (pi->node->open != NULL)
        err = pi->node->open(pi, file_writable(f));
    return err != 0 ? err : text_file_ops.open(f);
}

static ssize_t
proc_write(struct file *f, struct uio *u, off_t *pos)
{
    struct proc_inode *pi = proc_of(f->inode);
    char text[WRITE_MAX + 1];
    size_t n = u->left;

    if (pi->node->write == NULL)
        return -EIO; /* Linux's answer to root, whom no permission stops */
    if (n > WRITE_MAX)
        return -EINVAL;
    int err = uio_take(u, text, n);
    if (err != 0)
        return err;
    text[n] = '\0';
    err = pi->node->write(pi, text, n);
    if (err != 0)
        return err;
    *pos += (off_t)n;
    return (ssize_t)n;
}

/* O_TRUNC, as a shell's ">" has it: there is nothing to cut. */
static int
proc_truncate(struct inode *i UNUSED, uint64_t size UNUSED)
{
    return 0;
}

static ssize_t
proc_readlink(struct inode *i, char *buf, size_t size)
{
    struct proc_inode *pi = proc_of(i);

    return proc_still_valid(i) ? pi->node->readlink(pi, buf, size) : -ENOENT;
}

static int
proc_follow(struct inode *i, struct dentry **out)
{
    struct proc_inode *pi = proc_of(i);
    int err = proc_may_look(pi);

    if (err == 0)
        err = pi->node->follow(pi, out);
    if (err != 0)
        return err;
    err = proc_may_look(pi); /* still: an exec in between may have given it other rights */
    if (err != 0)
        dentry_put(*out);
    return err;
}

static const struct inode_ops proc_dir_ops = {
    .lookup = proc_lookup,
    .getdents = proc_getdents,
    .refresh = proc_refresh,
    .still_valid = proc_still_valid,
};

static const struct inode_ops proc_file_inode_ops = {
    .truncate = proc_truncate,
    .refresh = proc_refresh,
    .still_valid = proc_still_valid,
    .show = proc_show,
};

static const struct inode_ops proc_link_ops = {
    .readlink = proc_readlink,
    .refresh = proc_refresh,
    .still_valid = proc_still_valid,
};

static const struct inode_ops proc_magic_ops = {
    .readlink = proc_readlink,
    .follow = proc_follow,
    .refresh = proc_refresh,
    .still_valid = proc_still_valid,
};

/* ---- the file system ---- */

static void
proc_statfs(struct super *s UNUSED, struct abi_statfs *st)
{
    st->f_type = PROC_SUPER_MAGIC;
    st->f_bsize = PAGE_SIZE;
    st->f_namelen = NAME_MAX;
}

static const struct super_ops proc_super_ops = {
    .alloc_inode = proc_alloc_inode,
    .free_inode = proc_free_inode,
    .statfs = proc_statfs,
};

static int
proc_mount(struct super *s)
{
    s->ops = &proc_super_ops;
    s->file_object_ops = &proc_object_ops;
    s->flags |= SUPER_VOLATILE;
    s->block_size = KIB;
    return proc_make(s, &proc_root, 1, NULL, 0, -1, &s->root_inode);
}

static struct fs_type proc_type = {.name = "proc", .mount = proc_mount};

void
procfs_init(void)
{
    proc_file_ops = text_file_ops;
    proc_file_ops.open = proc_open;
    proc_file_ops.write = proc_write;
    fs_type_register(&proc_type);
}
