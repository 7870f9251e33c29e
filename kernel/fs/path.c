/*
 * path.c - walking paths, and the context in which a thread walks.
 *
 * A walk is a struct path_last: where it stands (parent), and what is left (rest, in a buffer of
 * its own).  When a link is followed, its target is put in front of what is left.
 *
 * Nothing is locked between two steps: a name that was right a moment ago may be gone, as on
 * every Unix.  What changes names locks the directory and looks again (path_ops.c).
 */
#include "kernel/fs/path.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/fcntl.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/fs/super.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"

struct dentry *fs_root_dentry;

static struct fs_context *
context_make(struct dentry *cwd, struct dentry *root, mode_t umask)
{
    struct fs_context *c = kzalloc(sizeof(*c));

    if (c == NULL) {
        dentry_put(cwd);
        dentry_put(root);
        return NULL;
    }
    c->refs = 1;
    c->lock = (struct spinlock)SPINLOCK_INIT("fs_context");
    c->umask = umask;
    c->cwd = cwd;
    c->root = root;
    return c;
}

/* One of the two places of @c, referenced. @c may be NULL: the root of the tree. */
static struct dentry *
place_of(struct fs_context *c, bool want_cwd)
{
    struct dentry *d = fs_root_dentry;

    if (c == NULL) {
        dentry_get(d);
        return d;
    }
    spin_lock(&c->lock);
    d = want_cwd ? c->cwd : c->root;
    dentry_get(d);
    spin_unlock(&c->lock);
    return d;
}

struct fs_context *
fs_context_new(void)
{
    return context_make(place_of(NULL, true), place_of(NULL, false), 022);
}

struct fs_context *
fs_context_fork(struct fs_context *from)
{
    return context_make(place_of(from, true), place_of(from, false), READ_ONCE(from->umask));
}

void
fs_context_get(struct fs_context *c)
{
    __atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
}

void
fs_context_put(struct fs_context *c)
{
    if (c == NULL || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    dentry_put(c->cwd);
    dentry_put(c->root);
    kfree(c);
}

struct dentry *
fs_cwd(void)
{
    return place_of(current_thread()->fs, true);
}

struct dentry *
fs_root(void)
{
    return place_of(current_thread()->fs, false);
}

mode_t
fs_umask(void)
{
    struct fs_context *c = current_thread()->fs;

    return c != NULL ? READ_ONCE(c->umask) : 0;
}

int
path_from_user(vaddr_t upath, bool empty_ok, char **out)
{
    reclaim_throttle(); /* a walk takes memory with directories locked: better wait here */
    char *buf = kmalloc(PATH_MAX);
    if (buf == NULL)
        return -ENOMEM;
    ssize_t n = strncpy_from_user(buf, upath, PATH_MAX);
    if (n < 0 || (n == 0 && !empty_ok)) {
        kfree(buf);
        return n < 0 ? (int)n : -ENOENT;
    }
    *out = buf;
    return 0;
}

static int
path_from_kernel(const char *path, char **out)
{
    size_t len = strlen(path);

    if (len >= PATH_MAX)
        return -ENAMETOOLONG;
    *out = kmalloc(PATH_MAX);
    if (*out == NULL)
        return -ENOMEM;
    memcpy(*out, path, len + 1);
    return 0;
}

/* Where a relative path starts. */
static int
start_of(int dirfd, struct dentry **out)
{
    if (dirfd == AT_FDCWD) {
        *out = fs_cwd();
        return 0;
    }
    struct file *f = fd_get(dirfd);
    if (f == NULL)
        return -EBADF;
    *out = f->dentry;
    if (*out != NULL)
        dentry_get(*out);
    file_put(f);
    return *out != NULL ? 0 : -ENOTDIR;
}

/* Asks the file system for a name that is not in the tree. @parent's lock is held. */
static int
step_on_disk(struct dentry *parent, const char *name, struct dentry **out)
{
    struct inode *dir = parent->inode, *inode;

    if (dir->nlink == 0 || dir->ops->lookup == NULL)
        return -ENOENT;
    int err = dir->ops->lookup(dir, name, &inode);
    if (err != 0)
        return err;
    /* A directory has one name; a second one would let locks go in circles. */
    if (S_ISDIR(inode->mode) && dentry_known(inode) &&
        (parent->super->flags & SUPER_VOLATILE) == 0) {
        kprintf("fs: inode %lu: a directory with two names: %s\n", inode->ino, name);
        inode_put(inode);
        return -EIO;
    }
    *out = dentry_add(parent, name, inode);
    if (*out == NULL) {
        inode_put(inode);
        return -ENOMEM;
    }
    return 0;
}

int
path_step_locked(struct dentry *parent, const char *name, struct dentry **out)
{
    ASSERT(mutex_held(&parent->inode->lock));
    if (strnlen(name, NAME_MAX + 1) > NAME_MAX)
        return -ENAMETOOLONG;
    *out = dentry_find_locked(parent, name);
    return *out != NULL ? 0 : step_on_disk(parent, name, out);
}

int
path_step(struct dentry *parent, const char *name, struct dentry **out)
{
    struct inode *dir = parent->inode;
    int err = 0;

    *out = dentry_find(parent, name);
    if (*out == NULL) {
        mutex_lock(&dir->lock);
        err = path_step_locked(parent, name, out);
        mutex_unlock(&dir->lock);
    }
    if (err == 0)
        *out = dentry_cross(*out);
    return err;
}

/* Moves the walk to @d, whose reference it takes. */
static void
walk_move(struct path_last *w, struct dentry *d)
{
    dentry_put(w->parent);
    w->parent = d;
}

/*
 * The target of @link is walked next: it is put in front of what is left.
 * @slash: a slash came behind the link's name, so a directory is wanted.
 * SIMPLE: both together must fit into PATH_MAX; on Linux each for itself.
 */
static int
walk_push(struct path_last *w, struct inode *link, bool slash)
{
    size_t rest = strlen(w->rest) + 1;
    char *buf = kmalloc(PATH_MAX);
    ssize_t n = -EINVAL;

    if (buf == NULL)
        return -ENOMEM;
    if (link->ops->readlink != NULL)
        n = link->ops->readlink(link, buf, PATH_MAX - 1);
    if (n == 0)
        n = -ENOENT;
    else if (n > 0 && (size_t)n + slash + rest > PATH_MAX)
        n = -ENAMETOOLONG;
    if (n < 0) {
        kfree(buf);
        return (int)n;
    }
    if (slash)
        buf[n++] = '/';
    memcpy(buf + n, w->rest, rest);
    kfree(w->buffer);
    w->buffer = w->rest = buf;
    if (buf[0] == '/')
        walk_move(w, fs_root());
    return 0;
}

/* Goes where link @d leads: a magic one moves the walk, else its target is walked next. */
static int
walk_link(struct path_last *w, struct dentry *d, bool slash)
{
    struct inode *link = d->inode;
    struct dentry *to;

    if (++w->links > PATH_LINKS_MAX)
        return -ELOOP;
    inode_touch(link, INODE_ATIME);
    if (link->ops->follow == NULL)
        return walk_push(w, link, slash);
    int err = link->ops->follow(link, &to);
    if (err != 0)
        return err;
    walk_move(w, dentry_cross(to));
    return slash && !S_ISDIR(w->parent->inode->mode) ? -ENOTDIR : 0;
}

/* The next name, cut off the rest; NULL at the end. *last: no more names; *slash: one came. */
static char *
walk_name(struct path_last *w, bool *last, bool *slash)
{
    char *name = w->rest;

    while (*name == '/')
        name++;
    char *end = name;
    while (*end != '\0' && *end != '/')
        end++;
    *slash = *end == '/';
    char *next = end;
    while (*next == '/')
        next++;
    *end = '\0';
    *last = *next == '\0';
    w->rest = next;
    return *name != '\0' ? name : NULL;
}

/* May we look up names in the directory where the walk stands? */
static int
walk_allowed(const struct path_last *w)
{
    if (!S_ISDIR(w->parent->inode->mode))
        return -ENOTDIR;
    return inode_permission(w->parent->inode, X_OK);
}

static int
walk_dotdot(struct path_last *w)
{
    struct dentry *root = fs_root();

    walk_move(w, dentry_dotdot(w->parent, root));
    dentry_put(root);
    return 0;
}

/* One ordinary name. */
static int
walk_step(struct path_last *w, const char *name, bool slash, bool follow)
{
    struct dentry *d;
    int err = path_step(w->parent, name, &d);

    if (err != 0)
        return err;
    if (!S_ISLNK(d->inode->mode) || !follow) {
        walk_move(w, d);
        return slash && !S_ISDIR(d->inode->mode) ? -ENOTDIR : 0;
    }
    err = walk_link(w, d, slash);
    dentry_put(d);
    return err;
}

/* Walks the rest; @to_parent: stops before the last name and records it. */
static int
walk(struct path_last *w, unsigned flags, bool to_parent)
{
    bool last, slash;

    for (;;) {
        char *name = walk_name(w, &last, &slash);
        if (name == NULL) {
            w->name = "";
            return 0;
        }
        int err = walk_allowed(w);
        if (err != 0)
            return err;
        bool dot = strcmp(name, ".") == 0, dotdot = strcmp(name, "..") == 0;
        if (last && to_parent) {
            w->name = name;
            w->dot = dot;
            w->dotdot = dotdot;
            w->slash = slash;
            return 0;
        }
        if (dot)
            continue;
        if (dotdot)
            err = walk_dotdot(w);
        else
            err = walk_step(w, name, slash, !last || slash || (flags & PATH_FOLLOW) != 0);
        if (err != 0)
            return err;
    }
}

/* Takes over @buffer, also on failure. */
static int
walk_start(int dirfd, char *buffer, struct path_last *w)
{
    *w = (struct path_last){.buffer = buffer, .rest = buffer, .name = ""};
    if (buffer[0] != '/')
        return start_of(dirfd, &w->parent);
    w->parent = fs_root();
    return 0;
}

void
path_last_free(struct path_last *l)
{
    dentry_put(l->parent);
    kfree(l->buffer);
    l->parent = NULL;
    l->buffer = NULL;
}

/* @buffer is taken over. */
static int
path_walk_buffer(int dirfd, char *buffer, unsigned flags, struct dentry **out)
{
    struct path_last w;
    bool empty = buffer[0] == '\0';
    int err = walk_start(dirfd, buffer, &w);

    if (err == 0 && empty)
        err = (flags & PATH_EMPTY) != 0 ? 0 : -ENOENT;
    else if (err == 0)
        err = walk(&w, flags, false);
    if (err == 0 && (flags & PATH_DIRECTORY) != 0 && !S_ISDIR(w.parent->inode->mode))
        err = -ENOTDIR;
    if (err == 0) {
        *out = w.parent;
        w.parent = NULL;
    }
    path_last_free(&w);
    dentry_trim();
    return err;
}

int
path_walk(int dirfd, const char *path, unsigned flags, struct dentry **out)
{
    char *buffer;
    int err = path_from_kernel(path, &buffer);

    return err != 0 ? err : path_walk_buffer(dirfd, buffer, flags, out);
}

int
path_walk_user(int dirfd, vaddr_t upath, unsigned flags, struct dentry **out)
{
    char *buffer;
    int err = path_from_user(upath, (flags & PATH_EMPTY) != 0, &buffer);

    return err != 0 ? err : path_walk_buffer(dirfd, buffer, flags, out);
}

unsigned
path_flags(unsigned at_flags)
{
    unsigned how = (at_flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : PATH_FOLLOW;

    return (at_flags & AT_EMPTY_PATH) != 0 ? how | PATH_EMPTY : how;
}

int
path_walk_at(int dirfd, vaddr_t upath, unsigned at_flags, struct dentry **out)
{
    return path_walk_user(dirfd, upath, path_flags(at_flags), out);
}

/* @buffer is taken over. */
static int
path_parent_buffer(int dirfd, char *buffer, struct path_last *out)
{
    int err = walk_start(dirfd, buffer, out);

    if (err == 0)
        err = walk(out, PATH_FOLLOW, true);
    if (err != 0)
        path_last_free(out);
    return err;
}

int
path_parent(int dirfd, const char *path, struct path_last *out)
{
    char *buffer;
    int err = path_from_kernel(path, &buffer);

    return err != 0 ? err : path_parent_buffer(dirfd, buffer, out);
}

int
path_parent_user(int dirfd, vaddr_t upath, struct path_last *out)
{
    char *buffer;
    int err = path_from_user(upath, false, &buffer);

    return err != 0 ? err : path_parent_buffer(dirfd, buffer, out);
}

int
path_last_follow(struct path_last *l, struct dentry *d)
{
    int err = walk_link(l, d, l->slash);

    l->name = "";
    l->dot = l->dotdot = l->slash = false;
    return err != 0 ? err : walk(l, PATH_FOLLOW, true);
}
