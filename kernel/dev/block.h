/*
 * block.h - disks: requests, devices and their names.
 *
 *   - A request belongs to its caller, memory and all; it is lent to the device from
 *     block_submit until done.
 *   - Submitting neither allocates nor sleeps, so the pager may do it when there is no memory
 *     left.
 *   - What fails is tried again, BLOCK_TRIES times in all; then one line in the log and -EIO.
 *
 * Locks: a request is the device's from submit to completion; a device never goes away.
 */
#pragma once

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/sched/waitq.h"

#define SECTOR_SIZE        512U
#define BLOCK_SEGMENTS_MAX 32
#define BLOCK_TRIES        3

struct block_device;

/* A physically contiguous piece of memory; @len is a multiple of SECTOR_SIZE. */
struct block_segment {
    paddr_t addr;
    uint32_t len;
};

struct block_request {
    struct list link; /* the driver's while submitted */
    bool write;       /* else read */
    bool flush;       /* no data: everything written before is to be on the medium */
    uint64_t sector;  /* first one, in units of SECTOR_SIZE */
    unsigned count;   /* segments in use, 1 .. BLOCK_SEGMENTS_MAX; 0 for a flush */
    struct block_segment segments[BLOCK_SEGMENTS_MAX];

    /*
     * Called when done, from the interrupt (or from block_submit itself, when the request is
     * refused): must not sleep; may free or submit again.  NULL: somebody calls block_wait.
     */
    void (*complete)(struct block_request *req);
    void *private; /* the caller's own */

    int status;         /* valid once done: 0, -EIO, or -EROFS */
    bool done;          /* only for requests without complete() */
    unsigned tries;     /* block.c's */
    void *private_slot; /* the driver's */
    struct block_device *device;
};

struct block_ops {
    /* Starts @req, or queues it if the device is full. Any context; no sleep, no memory. */
    void (*submit)(struct block_device *dev, struct block_request *req);
};

struct block_device {
    struct list link;
    char name[16];    /* "vda" */
    uint64_t sectors; /* its size in units of SECTOR_SIZE */
    unsigned number;  /* 0 for vda, 1 for vdb ... */
    bool read_only;
    bool can_flush; /* has a volatile write cache */
    const struct block_ops *ops;
    void *private;             /* the driver's */
    struct waitq done_waiters; /* block_wait sleeps here */
};

/*
 * Adds a device, for ever.  Its driver fills in all but link and done_waiters first. Boot only.
 */
void block_register(struct block_device *dev);

/* The device with that name ("vda" or "/dev/vda"), or NULL.  block_get: by its number. */
struct block_device *block_find(const char *name);
struct block_device *block_get(unsigned number);

/*
 * block_submit - lend a request to a device.
 *
 * @req: write, flush, sector, count, segments and complete are filled in; the rest is set here.
 * Locks:   any but the driver's own; any context.  Does not sleep or allocate.
 * Result:  by @req->complete or block_wait.  Sectors beyond the end give -EIO, a write to a
 *          read-only device -EROFS.
 */
void block_submit(struct block_device *dev, struct block_request *req);

/* Sleeps, uninterruptibly, until a request without complete() is done.  Returns its status. */
int block_wait(struct block_request *req);

/*
 * block_rw - read or write one piece of memory and wait for it.
 * @pa, @len: physically contiguous memory, @len a multiple of SECTOR_SIZE, at most 4 GiB - 512.
 * Returns: 0, -EIO or -EROFS.
 */
int block_rw(struct block_device *dev, bool write, uint64_t sector, paddr_t pa,
             uint32_t len) MUST_CHECK;

/* block_flush - wait until everything written before is on the medium. Returns 0 or -EIO. */
int block_flush(struct block_device *dev) MUST_CHECK;

/* For drivers, no lock held: @req ended with 0 or -EIO.  Retries or completes it. */
void block_done(struct block_request *req, int status);
