/*
 * devfs.c - what stands in /dev.
 *
 * It is a tmpfs, so programs may add to it; the files are made when it is mounted.
 */
#include "kernel/fs/super.h"

#include "kernel/dev/block.h"
#include "kernel/fs/bdev.h"
#include "kernel/fs/chrdev.h"
#include "kernel/fs/path.h"
#include "kernel/fs/tmpfs.h"

static const struct {
    const char *name;
    struct make make;
} fixed[] = {
    {"fd", {.mode = S_IFLNK | S_IRWXUGO, .target = "/proc/self/fd"}},
    {"stdin", {.mode = S_IFLNK | S_IRWXUGO, .target = "/proc/self/fd/0"}},
    {"stdout", {.mode = S_IFLNK | S_IRWXUGO, .target = "/proc/self/fd/1"}},
    {"stderr", {.mode = S_IFLNK | S_IRWXUGO, .target = "/proc/self/fd/2"}},
    {"shm", {.mode = S_IFDIR | S_ISVTX | S_IRWXUGO}},
};

static int
make_in(struct dentry *root, const char *name, const struct make *make)
{
    struct path_last l = {.parent = root, .name = name};

    return path_make(&l, make, NULL);
}

/* When memory is short while booting, what was made stays: nothing will run anyhow. */
static int
devfs_populate(struct dentry *root)
{
    struct block_device *b;
    int err = 0;

    root->inode->mode = S_IFDIR | 0755;
    for (const struct chrdev *d = chrdev_table; d->name != NULL && err == 0; d++)
        err = make_in(root, d->name,
                      &(struct make){.mode = S_IFCHR | d->mode, .rdev = d->number});
    for (unsigned n = 0; err == 0 && (b = block_get(n)) != NULL; n++)
        err = make_in(root, b->name,
                      &(struct make){.mode = S_IFBLK | 0600, .rdev = bdev_number(b)});
    for (unsigned n = 0; n < ARRAY_SIZE(fixed) && err == 0; n++)
        err = make_in(root, fixed[n].name, &fixed[n].make);
    return err;
}

struct fs_type devfs_type = {
    .name = "devtmpfs", .mount = tmpfs_mount, .populate = devfs_populate};
