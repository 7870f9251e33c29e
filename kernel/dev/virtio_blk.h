/*
 * virtio_blk.h - disks behind virtio: vda, vdb, ...
 */
#pragma once

/* Finds and registers all of them, with a log line each. Returns how many. Boot only. */
unsigned virtio_blk_init(void);
