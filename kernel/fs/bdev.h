/*
 * bdev.h - a block device as a file: its bytes through the page cache.
 *
 * Page index of the object = byte offset on the device / 4096.  A mounted file system has caches
 * of its own, so these pages are for programs that look at the bare disk.
 */
#pragma once

#include "kernel/dev/block.h"
#include "mm/object.h"

/* The pages of @dev, which live for ever: no reference is taken. NULL: no memory. Sleeps. */
struct object *bdev_object(struct block_device *dev) MUST_CHECK;

/* The device number that its file in /dev and its file system have. */
dev_t bdev_number(const struct block_device *dev);
/* And back; NULL: no such device. */
struct block_device *bdev_of_number(dev_t number);

/* Writes all dirty pages of the device's object and flushes its cache. 0 or -EIO. */
int bdev_sync(struct block_device *dev) MUST_CHECK;
