/*
 * devfs.c - what stands in /dev.
 *
 * It is a tmpfs, so programs may add to it; the files are made when it is mounted.
 */
#include "kernel/fs/devfs.h"

#include "kernel/abi/errno.h"
#include "kernel/dev/block.h"
#include "kernel/fs/bdev.h"
#include "kernel/fs/chrdev.h"
#include "kernel/fs/tmpfs.h"

static const struct {
    const char *name, *target;
} links[] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};

static int
make_node(struct inode *dir, const char *name, mode_t mode, dev_t rdev)
{
    struct inode *made;
    int err = dir->ops->create(dir, name, mode, rdev, &made);

    if (err == 0)
        inode_put(made);
    return err;
}

static int
make_devices(struct inode *dir)
{
    struct block_device *b;
    int err = 0;

    for (const struct chrdev *d = chrdev_table; d->name != NULL && err == 0; d++)
        err = make_node(dir, d->name, S_IFCHR | d->mode, d->number);
    for (unsigned n = 0; err == 0 && (b = block_get(n)) != NULL; n++)
        err = make_node(dir, b->name, S_IFBLK | 0600, bdev_number(b));
    return err;
}

static int
make_links(struct inode *dir)
{
    struct inode *made;
    int err = 0;

    for (unsigned n = 0; n < ARRAY_SIZE(links) && err == 0; n++) {
        err = dir->ops->symlink(dir, links[n].name, links[n].target, &made);
        if (err == 0)
            inode_put(made);
    }
    if (err == 0) {
        err = dir->ops->mkdir(dir, "shm", S_IFDIR | S_ISVTX | S_IRWXUGO, &made);
        if (err == 0)
            inode_put(made);
    }
    return err;
}

static int
devfs_mount(struct super *s)
{
    int err = tmpfs_mount(s);

    if (err != 0)
        return err;
    struct inode *dir = s->root_inode;
    dir->mode = S_IFDIR | 0755;
    mutex_lock(&dir->lock);
    err = make_devices(dir);
    if (err == 0)
        err = make_links(dir);
    mutex_unlock(&dir->lock);
    return err; /* out of memory while booting: what was made stays, nothing will run anyhow */
}

struct fs_type devfs_type = {.name = "devtmpfs", .mount = devfs_mount};
