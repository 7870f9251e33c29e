/*
 * block.c - disks: requests, devices and their names.
 *
 * Owns the list of devices and what is the same for all of them: judging a request, trying
 * again, telling whoever waits.  How a disk is driven is in virtio_blk.c.  Called by the pager,
 * the flusher and the file systems.
 */
#include "kernel/dev/block.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"

/* Grows while booting only, so it needs no lock. */
static struct list devices = LIST_INIT(devices);

void
block_register(struct block_device *dev)
{
    waitq_init(&dev->done_waiters);
    list_push_back(&devices, &dev->link);
}

struct block_device *
block_find(const char *name)
{
    struct block_device *dev;

    if (strncmp(name, "/dev/", 5) == 0)
        name += 5;
    list_for_each (dev, &devices, link)
        if (strcmp(dev->name, name) == 0)
            return dev;
    return NULL;
}

struct block_device *
block_get(unsigned number)
{
    struct block_device *dev;

    list_for_each (dev, &devices, link)
        if (dev->number == number)
            return dev;
    return NULL;
}

/* After this the request is its owner's again and may be gone. */
static void
finish(struct block_request *req, int status)
{
    struct block_device *dev = req->device;

    req->status = status;
    if (req->complete != NULL) {
        req->complete(req);
        return;
    }
    /* Release: whoever sees done also sees status and the data. */
    __atomic_store_n(&req->done, true, __ATOMIC_RELEASE);
    waitq_wake_all(&dev->done_waiters);
}

/* Returns 0 if the device can be asked for this, else what to answer. */
static int
judge(const struct block_device *dev, const struct block_request *req)
{
    uint64_t sectors = 0;

    if (req->flush)
        return 0;
    ASSERT(req->count >= 1 && req->count <= BLOCK_SEGMENTS_MAX);
    for (unsigned i = 0; i < req->count; i++) {
        ASSERT(req->segments[i].len > 0 && req->segments[i].len % SECTOR_SIZE == 0);
        sectors += req->segments[i].len / SECTOR_SIZE;
    }
    if (sectors > dev->sectors || req->sector > dev->sectors - sectors)
        return -EIO;
    return req->write && dev->read_only ? -EROFS : 0;
}

void
block_submit(struct block_device *dev, struct block_request *req)
{
    int err;

    req->device = dev;
    req->done = false;
    req->status = 0;
    req->tries = 0;
    list_init(&req->link);
    err = judge(dev, req);
    if (err != 0 || (req->flush && !dev->can_flush))
        finish(req, err);
    else
        dev->ops->submit(dev, req);
}

void
block_done(struct block_request *req, int status)
{
    struct block_device *dev = req->device;

    if (status != 0 && ++req->tries < BLOCK_TRIES) {
        dev->ops->submit(dev, req);
        return;
    }
    if (status != 0 && req->flush)
        kprintf("%s: flush error\n", dev->name);
    else if (status != 0)
        kprintf("%s: %s error at sector %lu\n", dev->name, req->write ? "write" : "read",
                req->sector);
    finish(req, status);
}

int
block_wait(struct block_request *req)
{
    ASSERT(req->complete == NULL);
    wait_event(&req->device->done_waiters, __atomic_load_n(&req->done, __ATOMIC_ACQUIRE));
    return req->status;
}

int
block_rw(struct block_device *dev, bool write, uint64_t sector, paddr_t pa, uint32_t len)
{
    struct block_request req = {
        .write = write, .sector = sector, .count = 1, .segments = {{.addr = pa, .len = len}}};

    block_submit(dev, &req);
    return block_wait(&req);
}

int
block_flush(struct block_device *dev)
{
    struct block_request req = {.flush = true};

    block_submit(dev, &req);
    return block_wait(&req);
}
