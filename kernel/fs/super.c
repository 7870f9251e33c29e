/*
 * super.c - mounting, syncing and unmounting.
 *
 * A mount hangs the root of a file system onto a directory: the covered dentry points to the
 * super and keeps a reference, and the super points back.  Nothing is unmounted while the
 * machine runs.
 */
#include "kernel/fs/super.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/fcntl.h"
#include "kernel/fs/bdev.h"
#include "kernel/fs/path.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/tmpfs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/kmalloc.h"

static struct mutex mount_lock = MUTEX_INIT(mount_lock, "mounts");
static struct list mounts = LIST_INIT(mounts);
static struct list fs_types = LIST_INIT(fs_types);

void
fs_type_register(struct fs_type *t)
{
    list_push_back(&fs_types, &t->link);
}

void
fs_init(void)
{
    dentry_init();
    pipe_init();
    if (tmpfs_init() != 0)
        panic("no memory for the first file system");
    fs_type_register(&ext2_fs_type);
    fs_type_register(&tmpfs_type);
    fs_type_register(&devfs_type);
}

/* For file systems without a device: a device number 0:n of its own. */
static dev_t
super_anon_dev(void)
{
    static unsigned last;

    return DEV_MAKE(0, __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED));
}

void
super_init(struct super *s, const struct super_ops *ops)
{
    memset(s, 0, sizeof(*s));
    s->ops = ops;
    s->dev = super_anon_dev();
    s->block_size = PAGE_SIZE;
    mutex_init(&s->rename_lock, "rename");
    list_init(&s->dirty_inodes);
    list_init(&s->link);
}

static struct fs_type *
find_type(const char *name)
{
    struct fs_type *t;

    list_for_each (t, &fs_types, link) {
        if (strcmp(t->name, name) == 0)
            return t;
    }
    return NULL;
}

/* Makes a super and lets the kind fill it in. */
static int
super_mount(const struct fs_type *type, const char *source, struct super **out)
{
    struct super *s = kmalloc(sizeof(*s));
    int err;

    if (s == NULL)
        return -ENOMEM;
    super_init(s, NULL);
    s->type = type;
    strlcpy(s->source, source, sizeof(s->source));
    if (type->needs_device) {
        s->bdev = block_find(source);
        err = s->bdev == NULL ? -ENODEV : 0;
        if (err != 0)
            goto fail;
        s->dev = bdev_number(s->bdev);
        if (s->bdev->read_only)
            s->flags |= SUPER_READ_ONLY;
    }
    err = type->mount(s);
    if (err != 0)
        goto fail;
    s->root = dentry_root(s, s->root_inode);
    if (s->root == NULL)
        panic("no memory for the root of a file system");
    *out = s;
    return type->populate != NULL ? type->populate(s->root) : 0;
fail:
    kfree(s);
    return err;
}

static void
mounts_add(struct super *s, struct dentry *covers)
{
    mutex_lock(&mount_lock);
    s->covers = covers;
    list_push_back(&mounts, &s->link);
    if (covers != NULL)
        WRITE_ONCE(covers->mounted, s);
    mutex_unlock(&mount_lock);
}

int
fs_mount_root(const char *name)
{
    struct super *s;
    int err = super_mount(&ext2_fs_type, name, &s);

    if (err != 0) {
        kprintf("fs: %s cannot be mounted as root: %s\n", name,
                err == -ENODEV ? "no such disk"
                               : "it holds no ext2 file system that I can use");
        return err;
    }
    mounts_add(s, NULL);
    fs_root_dentry = s->root;
    return 0;
}

int
fs_mount(const char *source, const char *path, const char *type)
{
    const struct fs_type *t = find_type(type);
    struct dentry *d;
    struct super *s;

    if (t == NULL)
        return -ENODEV;
    int err = path_walk(AT_FDCWD, path, PATH_FOLLOW | PATH_DIRECTORY, &d);
    if (err != 0)
        return err;
    err = d->parent == d ? -EBUSY : super_mount(t, source, &s);
    if (err != 0) {
        dentry_put(d);
        return err;
    }
    mounts_add(s, d);
    return 0;
}

void
fs_mount_all(void)
{
    static const char *const table[][3] = {
        {"devtmpfs", "/dev", "devtmpfs"},
        {"proc", "/proc", "proc"},
        {"tmpfs", "/tmp", "tmpfs"},
        {"tmpfs", "/dev/shm", "tmpfs"},
    };

    for (unsigned n = 0; n < ARRAY_SIZE(table); n++) {
        int err = fs_mount(table[n][0], table[n][1], table[n][2]);
        if (err != 0)
            kprintf("fs: no %s on %s (error %d)\n", table[n][2], table[n][1], -err);
    }
}

/* Keeps the first error. */
static void
note(int *first, int err)
{
    if (*first == 0)
        *first = err;
}

int
fs_sync_super_metadata(struct super *s, bool final)
{
    int err = 0;

    if (s->ops->sync != NULL)
        note(&err, s->ops->sync(s, final));
    if (s->bdev != NULL)
        note(&err, bdev_sync(s->bdev));
    return err;
}

int
fs_sync_super(struct super *s, bool final)
{
    int err = 0;

    if (s->bdev == NULL && s->ops->sync == NULL)
        return 0;
    note(&err, object_sync_all());
    note(&err, inode_write_super(s));
    note(&err, fs_sync_super_metadata(s, final));
    return err;
}

/* The mount behind @prev (NULL: the first). Mounts never go, so one step at a time is safe. */
static struct super *
next_mount(struct super *prev)
{
    mutex_lock(&mount_lock);
    struct list *l = prev == NULL ? mounts.next : prev->link.next;
    struct super *s = l == &mounts ? NULL : list_entry(l, struct super, link);
    mutex_unlock(&mount_lock);
    return s;
}

int
fs_sync_all(void)
{
    int err = 0;

    for (struct super *s = next_mount(NULL); s != NULL; s = next_mount(s))
        note(&err, fs_sync_super(s, false));
    return err;
}

unsigned
fs_shrink_caches(void)
{
    return dentry_shrink(0) + inode_shrink();
}

void
fs_for_each_mount(void (*fn)(struct super *s, const char *path, void *ctx), void *ctx)
{
    char *path = kmalloc(PATH_MAX);

    if (path == NULL)
        return;
    for (struct super *s = next_mount(NULL); s != NULL; s = next_mount(s)) {
        if (dentry_path(s->root, NULL, path, PATH_MAX, NULL) > 0)
            fn(s, path, ctx);
    }
    kfree(path);
}

/* One disk's file system at power-off.  The first sync writes what is in use still. */
static void
unmount(struct super *s)
{
    if (fs_sync_super(s, false) != 0)
        kprintf("fs: %s: not everything could be written\n", s->source);
    inode_evict_super(s);
    if (fs_sync_super(s, true) != 0)
        kprintf("fs: %s: could not be marked clean\n", s->source);
}

void
fs_unmount_all(void)
{
    dentry_shrink(0);
    for (struct super *s = next_mount(NULL); s != NULL; s = next_mount(s)) {
        if (s->bdev != NULL)
            unmount(s);
    }
}
