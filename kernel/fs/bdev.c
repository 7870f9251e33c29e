/*
 * bdev.c - block devices as files: an inode and a page cache for each.
 *
 * The inodes are made at first use and live for ever, in a table by device number; they belong
 * to a hidden super of their own.  Files of block devices, wherever they lie, all lead to them.
 */
#include "kernel/fs/bdev.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/chrdev.h"
#include "kernel/fs/file.h"
#include "kernel/fs/super.h"
#include "kernel/lib/string.h"
#include "mm/kmalloc.h"

#define BDEV_MAX    16
#define BDEV_MAJOR  254 /* what Linux gives virtio disks */
#define BDEV_MINORS 16  /* per device: Linux keeps them for partitions */

struct bdev {
    struct inode inode;
    struct block_device *dev;
};

static struct bdev *bdevs[BDEV_MAX];
static struct mutex bdevs_lock = MUTEX_INIT(bdevs_lock, "bdevs");
static struct super bdev_super;
static struct super_ops bdev_super_ops;

static struct bdev *
bdev_of(struct object *o)
{
    return container_of(inode_of_object(o), struct bdev, inode);
}

int
bdev_io(struct block_device *dev, bool write, uint64_t sector, struct frame **frames,
        unsigned n)
{
    struct block_request req;
    uint64_t bytes = (dev->sectors - MIN(sector, dev->sectors)) * SECTOR_SIZE;

    memset(&req, 0, offsetof(struct block_request, segments));
    req.complete = NULL;
    req.write = write;
    req.sector = sector;
    for (unsigned k = 0; k < n && bytes > 0; k++) {
        uint32_t len = (uint32_t)MIN(bytes, PAGE_SIZE);
        req.segments[req.count++] = (struct block_segment){frame_addr(frames[k]), len};
        bytes -= len;
    }
    if (req.count == 0)
        return -EIO;
    block_submit(dev, &req);
    return block_wait(&req);
}

static int
bdev_read_pages(struct object *o, pgidx_t index, struct frame **frames, unsigned n)
{
    struct block_device *dev = bdev_of(o)->dev;
    uint64_t size = dev->sectors * SECTOR_SIZE;

    for (unsigned k = 0; k < n; k++) { /* what the device does not reach is zeros */
        uint64_t at = (index + k) * PAGE_SIZE, in = at < size ? MIN(size - at, PAGE_SIZE) : 0;
        memset((char *)frame_data(frames[k]) + in, 0, PAGE_SIZE - in);
    }
    if (index * PAGE_SIZE >= size)
        return 0;
    return bdev_io(dev, false, index * (PAGE_SIZE / SECTOR_SIZE), frames, n);
}

static int
bdev_write_pages(struct object *o, pgidx_t index, struct frame **frames, unsigned n)
{
    return bdev_io(bdev_of(o)->dev, true, index * (PAGE_SIZE / SECTOR_SIZE), frames, n);
}

static int
bdev_prepare_write(struct object *o, pgidx_t index)
{
    struct block_device *dev = bdev_of(o)->dev;

    if (dev->read_only)
        return -EROFS;
    return index * PAGE_SIZE < dev->sectors * SECTOR_SIZE ? 0 : -ENOSPC;
}

static const struct object_ops bdev_object_ops = {
    .read_pages = bdev_read_pages,
    .write_pages = bdev_write_pages,
    .prepare_write = bdev_prepare_write,
    .release = inode_release,
    .describe = inode_describe,
};

static struct inode *
bdev_alloc_inode(struct super *s UNUSED)
{
    struct bdev *b = kzalloc(sizeof(*b));

    return b != NULL ? &b->inode : NULL;
}

static void
bdev_free_inode(struct inode *i)
{
    kfree(container_of(i, struct bdev, inode));
}

/* bdevs_lock held. */
static struct bdev *
bdev_make(struct block_device *dev)
{
    struct inode *i;

    if (bdev_super.ops == NULL) {
        bdev_super_ops.alloc_inode = bdev_alloc_inode;
        bdev_super_ops.free_inode = bdev_free_inode;
        super_init(&bdev_super, &bdev_super_ops);
        bdev_super.flags = SUPER_HIDDEN;
    }
    if (inode_new(&bdev_super, dev->number + 1, OBJECT_FILE, &bdev_object_ops, false, &i) != 0)
        return NULL;
    struct bdev *b = container_of(i, struct bdev, inode);
    b->dev = dev;
    i->mode = S_IFBLK | 0600;
    i->rdev = bdev_number(dev);
    i->object.size = dev->sectors * SECTOR_SIZE;
    bdevs[dev->number] = b;
    return b;
}

static struct bdev *
bdev_find(struct block_device *dev)
{
    if (dev->number >= BDEV_MAX)
        return NULL;
    mutex_lock(&bdevs_lock);
    struct bdev *b = bdevs[dev->number];
    if (b == NULL)
        b = bdev_make(dev);
    mutex_unlock(&bdevs_lock);
    return b;
}

dev_t
bdev_number(const struct block_device *dev)
{
    return DEV_MAKE(BDEV_MAJOR, dev->number * BDEV_MINORS);
}

struct block_device *
bdev_of_number(dev_t number)
{
    if (DEV_MAJOR(number) != BDEV_MAJOR || DEV_MINOR(number) % BDEV_MINORS != 0)
        return NULL;
    return block_get(DEV_MINOR(number) / BDEV_MINORS);
}

struct object *
bdev_object(struct block_device *dev)
{
    struct bdev *b = bdev_find(dev);

    return b != NULL ? &b->inode.object : NULL;
}

int
bdev_sync(struct block_device *dev)
{
    struct bdev *b = dev->number < BDEV_MAX ? bdevs[dev->number] : NULL;
    int err = b != NULL ? object_sync(&b->inode.object, 0, UINT64_MAX) : 0;
    int err2 = dev->read_only ? 0 : block_flush(dev);

    return err != 0 ? err : err2;
}

/* file->private of an open block device is its struct bdev. */
static int
blkdev_open(struct file *f)
{
    struct block_device *dev = bdev_of_number(f->inode->rdev);

    if (dev == NULL)
        return -ENXIO;
    f->private = bdev_find(dev);
    return f->private != NULL ? 0 : -ENOMEM;
}

static ssize_t
blkdev_read(struct file *f, struct uio *u, off_t *pos)
{
    struct bdev *b = f->private;

    return inode_read_uio(&b->inode, u, pos);
}

static ssize_t
blkdev_write(struct file *f, struct uio *u, off_t *pos)
{
    struct bdev *b = f->private;
    uint64_t size = inode_size(&b->inode);

    if ((uint64_t)*pos >= size)
        return u->left == 0 ? 0 : -ENOSPC;
    /* What reaches beyond the end stays behind; the rest of the vector is left untouched. */
    struct uio part = *u;
    part.left = MIN(u->left, size - (uint64_t)*pos);
    return inode_write_uio(&b->inode, &part, pos, false);
}

static int64_t
blkdev_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    struct bdev *b = f->private;
    uint64_t bytes = b->dev->sectors * SECTOR_SIZE, sectors = b->dev->sectors;
    int32_t sector = SECTOR_SIZE, read_only = b->dev->read_only;

    switch (cmd) {
    case BLKGETSIZE64:
        return copy_to_user(arg, &bytes, sizeof(bytes));
    case BLKGETSIZE:
        return copy_to_user(arg, &sectors, sizeof(sectors));
    case BLKSSZGET:
        return copy_to_user(arg, &sector, sizeof(sector));
    case BLKROGET:
        return copy_to_user(arg, &read_only, sizeof(read_only));
    case BLKFLSBUF:
        return bdev_sync(b->dev);
    default:
        return -ENOTTY;
    }
}

static off_t
blkdev_seek(struct file *f, off_t off, int whence)
{
    struct bdev *b = f->private;

    return inode_seek(&b->inode, f->offset, off, whence);
}

static int
blkdev_mmap(struct file *f, bool shared UNUSED, uint64_t length UNUSED, struct object **out)
{
    struct bdev *b = f->private;

    inode_get(&b->inode);
    *out = &b->inode.object;
    return 0;
}

const struct file_ops blkdev_file_ops = {
    .open = blkdev_open,
    .read = blkdev_read,
    .write = blkdev_write,
    .ioctl = blkdev_ioctl,
    .seek = blkdev_seek,
    .mmap = blkdev_mmap,
};
