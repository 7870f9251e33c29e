/*
 * chrdev.h - character devices by their numbers, and what opens device files.
 *
 * A device file is only a number on some file system; open() finds the driver's operations
 * here.  Numbers are Linux's (Documentation/admin-guide/devices.txt).
 */
#pragma once

#include "kernel/fs/file.h"

struct chrdev {
    const char *name; /* in /dev */
    dev_t number;
    mode_t mode; /* permission bits of the file in /dev */
    const struct file_ops *fops;
};

/* The devices there are, in a table that ends with name == NULL. */
extern const struct chrdev chrdev_table[];

/* Operations of device inodes: open finds the driver's and puts them into the file. -ENXIO. */
extern const struct file_ops chrdev_file_ops;
extern const struct file_ops blkdev_file_ops; /* bdev.c */
