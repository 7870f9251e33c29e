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

#define BDEV_MAX    16
#define BDEV_MAJOR  254 /* what Linux gives virtio disks */
#define BDEV_MINORS 16  /* per device: Linux keeps them for partitions */

static struct inode *bdevs[BDEV_MAX]; /* inode->private: the device */
static struct mutex bdevs_lock = MUTEX_INIT(bdevs_lock, "bdevs");
static struct super bdev_super;
static const struct super_ops bdev_super_ops = {
    .alloc_inode = inode_alloc_plain,
    .free_inode = inode_free_plain,
};

static struct block_device *
device_of(struct object *o)
{
    return inode_of_object(o)->private;
}

/* Moves @n pages; what the device does not reach of them is left alone. 0 or -EIO. */
static int
bdev_transfer(struct object *o, pgidx_t index, struct frame **frames, unsigned n, bool write)
{
    struct block_device *dev = device_of(o);
    struct block_request req = {.write = write, .sector = index * (PAGE_SIZE / SECTOR_SIZE)};
    uint64_t bytes = (dev->sectors - MIN(req.sector, dev->sectors)) * SECTOR_SIZE;

    for (unsigned k = 0; k < n && bytes > 0; k++) {
        uint32_t len = (uint32_t)MIN(bytes, PAGE_SIZE);
        req.segments[req.count++] = (struct block_segment){frame_addr(frames[k]), len};
        bytes -= len;
    }
    if (req.count == 0)
        return write ? -EIO : 0;
    block_submit(dev, &req);
    return block_wait(&req);
}

static int
bdev_read_pages(struct object *o, pgidx_t index, struct frame **frames, unsigned n)
{
    uint64_t size = device_of(o)->sectors * SECTOR_SIZE;

    for (unsigned k = 0; k < n; k++) { /* what the device does not reach is zeros */
        uint64_t at = (index + k) * PAGE_SIZE, in = at < size ? MIN(size - at, PAGE_SIZE) : 0;
        memset((char *)frame_data(frames[k]) + in, 0, PAGE_SIZE - in);
    }
    return bdev_transfer(o, index, frames, n, false);
}

static int
bdev_write_pages(struct object *o, pgidx_t index, struct frame **frames, unsigned n)
{
    return bdev_transfer(o, index, frames, n, true);
}

static int
bdev_prepare_write(struct object *o, pgidx_t index)
{
    struct block_device *dev = device_of(o);

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

/* bdevs_lock held. */
static struct inode *
bdev_make(struct block_device *dev)
{
    struct inode *i;

    if (bdev_super.ops == NULL) {
        super_init(&bdev_super, &bdev_super_ops);
        bdev_super.flags = SUPER_HIDDEN;
    }
    if (inode_new(&bdev_super, dev->number + 1, OBJECT_FILE, &bdev_object_ops, false, &i) != 0)
        return NULL;
    i->private = dev;
    i->mode = S_IFBLK | 0600;
    i->rdev = bdev_number(dev);
    i->object.size = dev->sectors * SECTOR_SIZE;
    return i;
}

static struct inode *
bdev_find(struct block_device *dev)
{
    if (dev->number >= BDEV_MAX)
        return NULL;
    mutex_lock(&bdevs_lock);
    if (bdevs[dev->number] == NULL)
        bdevs[dev->number] = bdev_make(dev);
    struct inode *i = bdevs[dev->number];
    mutex_unlock(&bdevs_lock);
    return i;
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
    struct inode *i = bdev_find(dev);

    return i != NULL ? &i->object : NULL;
}

int
bdev_sync(struct block_device *dev)
{
    struct inode *i = dev->number < BDEV_MAX ? READ_ONCE(bdevs[dev->number]) : NULL;
    int err = i != NULL ? object_sync(&i->object, 0, UINT64_MAX) : 0;
    int err2 = dev->read_only ? 0 : block_flush(dev);

    return err != 0 ? err : err2;
}

/* file->private of an open block device is the inode of the device. */
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
    return inode_read_uio(f->private, u, pos);
}

static ssize_t
blkdev_write(struct file *f, struct uio *u, off_t *pos)
{
    uint64_t size = inode_size(f->private);

    if ((uint64_t)*pos >= size)
        return u->left == 0 ? 0 : -ENOSPC;
    /* What reaches beyond the end stays behind; the rest of the vector is left untouched. */
    struct uio part = *u;
    part.left = MIN(u->left, size - (uint64_t)*pos);
    return inode_write_uio(f->private, &part, pos, false);
}

static int64_t
blkdev_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    struct block_device *dev = ((struct inode *)f->private)->private;
    uint64_t bytes = dev->sectors * SECTOR_SIZE;
    int32_t sector = SECTOR_SIZE, read_only = dev->read_only;

    switch (cmd) {
    case BLKGETSIZE64:
        return copy_to_user(arg, &bytes, sizeof(bytes));
    case BLKGETSIZE:
        return copy_to_user(arg, &dev->sectors, sizeof(dev->sectors));
    case BLKSSZGET:
        return copy_to_user(arg, &sector, sizeof(sector));
    case BLKROGET:
        return copy_to_user(arg, &read_only, sizeof(read_only));
    case BLKFLSBUF:
        return bdev_sync(dev);
    default:
        return -ENOTTY;
    }
}

static off_t
blkdev_seek(struct file *f, off_t off, int whence)
{
    return inode_seek(f->private, f->offset, off, whence);
}

static int
blkdev_mmap(struct file *f, bool shared UNUSED, uint64_t length UNUSED, struct object **out)
{
    inode_get(f->private);
    *out = &((struct inode *)f->private)->object;
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
