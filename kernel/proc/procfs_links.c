/*
 * procfs_links.c - /proc/self, and the links of a process to its files: exe, cwd, root and fd/N.
 *
 * These lead to the very file, whatever its name has become: opening one goes through follow(), and
 * readlink() gives the name only for people.
 */
#include "kernel/proc/procfs_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/fs/path.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"

ssize_t
proc_read_self(struct proc_inode *i UNUSED, char *buf, size_t size)
{
    struct process *p = current_process();

    if (p == NULL)
        return -ENOENT;
    return (ssize_t)MIN((size_t)snprintf(buf, size, "%d", p->pid), size);
}

ssize_t
proc_read_thread_self(struct proc_inode *i UNUSED, char *buf, size_t size)
{
    struct task *t = current_task();

    if (t == NULL)
        return -ENOENT;
    return (ssize_t)MIN((size_t)snprintf(buf, size, "%d/task/%d", t->process->pid, t->tid),
                        size);
}

/* ---- what a link leads to, referenced ---- */

static int
file_of_fd(struct proc_inode *i, struct file **out)
{
    *out = proc_file(i);
    return *out != NULL ? 0 : -ENOENT;
}

static int
exe_of(struct proc_inode *i, struct file **out)
{
    spin_lock(&proc_lock);
    *out = i->process->exe;
    if (*out != NULL)
        file_get(*out);
    spin_unlock(&proc_lock);
    return *out != NULL ? 0 : -ENOENT;
}

/* The working directory, or the root. */
static int
directory_of(struct proc_inode *i, bool root, struct dentry **out)
{
    struct fs_context *fs = NULL;

    spin_lock(&proc_lock);
    struct task *t = proc_task_locked(i);
    if (t != NULL && t->thread->fs != NULL) {
        fs = t->thread->fs;
        fs_context_get(fs);
    }
    spin_unlock(&proc_lock);
    if (fs == NULL)
        return -ENOENT;
    spin_lock(&fs->lock);
    *out = root ? fs->root : fs->cwd;
    dentry_get(*out);
    spin_unlock(&fs->lock);
    fs_context_put(fs);
    return 0;
}

/* ---- names ---- */

/* True for what follow_file() made: the file of a pipe that was opened by way of /proc. */
static bool
is_nameless(const struct file *f)
{
    return f->dentry == NULL || (f->inode->super->flags & SUPER_HIDDEN) != 0;
}

/* The text of a link to @f, whose reference is used up. */
static ssize_t
name_of_file(struct file *f, char *buf, size_t size)
{
    char text[32];
    ssize_t n;

    if (is_nameless(f) && S_ISFIFO(f->inode->mode)) {
        n = snprintf(text, sizeof(text), "pipe:[%lu]", f->inode->ino);
        n = (ssize_t)MIN((size_t)n, size);
        memcpy(buf, text, (size_t)n);
    } else {
        n = (ssize_t)file_path(f, buf, size);
    }
    file_put(f);
    return n;
}

static ssize_t
name_of_directory(struct proc_inode *i, bool root, char *buf, size_t size)
{
    static const char gone[] = " (deleted)";
    struct dentry *d;
    bool deleted = false;
    int err = proc_may_look(i);

    if (err == 0)
        err = directory_of(i, root, &d);
    if (err != 0)
        return err;
    ssize_t n = dentry_path(d, NULL, buf, size, &deleted);
    dentry_put(d);
    if (n >= 0 && deleted && (size_t)n + sizeof(gone) <= size) {
        memcpy(buf + n, gone, sizeof(gone));
        n += (ssize_t)sizeof(gone) - 1;
    }
    return n == -ERANGE ? -ENAMETOOLONG : n;
}

ssize_t
proc_read_cwd(struct proc_inode *i, char *buf, size_t size)
{
    return name_of_directory(i, false, buf, size);
}

ssize_t
proc_read_root(struct proc_inode *i, char *buf, size_t size)
{
    return name_of_directory(i, true, buf, size);
}

ssize_t
proc_read_exe(struct proc_inode *i, char *buf, size_t size)
{
    struct file *f;
    int err = proc_may_look(i);

    if (err == 0)
        err = exe_of(i, &f);
    return err != 0 ? err : name_of_file(f, buf, size);
}

static ssize_t
read_fd(struct proc_inode *i, char *buf, size_t size)
{
    struct file *f;
    int err = proc_may_look(i);

    if (err == 0)
        err = file_of_fd(i, &f);
    return err != 0 ? err : name_of_file(f, buf, size);
}

/* ---- ways ---- */

/*
 * The dentry of @f, whose reference is used up.  A pipe has none: it gets one
 * without a place in the tree.
 */
static int
follow_file(struct file *f, struct dentry **out)
{
    struct inode *inode = f->inode;

    *out = f->dentry;
    if (*out != NULL) {
        dentry_get(*out);
    } else {
        inode_get(inode);
        *out = dentry_root(inode->super, inode);
        if (*out == NULL)
            inode_put(inode);
    }
    file_put(f);
    return *out != NULL ? 0 : -ENOMEM;
}

int
proc_follow_exe(struct proc_inode *i, struct dentry **out)
{
    struct file *f;
    int err = exe_of(i, &f);

    return err != 0 ? err : follow_file(f, out);
}

int
proc_follow_cwd(struct proc_inode *i, struct dentry **out)
{
    return directory_of(i, false, out);
}

int
proc_follow_root(struct proc_inode *i, struct dentry **out)
{
    return directory_of(i, true, out);
}

static int
follow_fd(struct proc_inode *i, struct dentry **out)
{
    struct file *f;
    int err = file_of_fd(i, &f);

    return err != 0 ? err : follow_file(f, out);
}

mode_t
proc_fd_mode(const struct proc_inode *i)
{
    struct file *f = proc_file(i);
    mode_t mode = 0;

    if (f != NULL) {
        mode = S_IXUSR;
        mode |= file_readable(f) ? 0400 : 0;
        mode |= file_writable(f) ? 0200 : 0;
        file_put(f);
    }
    return mode;
}

const struct proc_node proc_fd_entry = {
    .mode = PROC_LINK(0700), .readlink = read_fd, .follow = follow_fd};
