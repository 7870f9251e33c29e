/*
 * bdev.h - a block device as a file: its bytes through the page cache.
 *
 *   - Page index of the object = byte offset on the device / 4096.  File systems keep their
 *     metadata here (superblock, bitmaps, inode tables, indirect blocks), so there is one
 *     cache.
 *   - What a file system caches of a file's contents is in the file's own object, never here:
 *     a block must not be in both while one of them is dirty.
 */
#pragma once

#include "kernel/dev/block.h"
#include "mm/object.h"

/*
 * bdev_object - the object of @dev; the same one every time, no reference is taken, it lives
 * for ever. Made at the first call.  Returns NULL when there is no memory.  Sleeps.
 */
struct object *bdev_object(struct block_device *dev) MUST_CHECK;

/*
 * bdev_io - one run of pages to or from consecutive sectors, as read_pages and write_pages need
 * it.
 *
 * @sector: first sector (512 bytes).
 * @frames: @n <= OBJECT_CLUSTER frames, each wholly transferred, save that the last one ends at
 *          the device's end.
 * Sleeps; allocates nothing. Returns 0 or -EIO.
 */
int bdev_io(struct block_device *dev, bool write, uint64_t sector, struct frame **frames,
            unsigned n) MUST_CHECK;

/* The device number that its file in /dev and its file system have. */
dev_t bdev_number(const struct block_device *dev);
/* And back; NULL: no such device. */
struct block_device *bdev_of_number(dev_t number);

/* Writes all dirty pages of the device's object and flushes its cache. 0 or -EIO. */
int bdev_sync(struct block_device *dev) MUST_CHECK;
