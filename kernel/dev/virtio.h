/*
 * virtio.h - the transport of virtio 1.x devices over PCI, and their split virtqueues.
 *
 *   - Modern interface only (VIRTIO_F_VERSION_1); transitional devices have it too.
 *   - One MSI-X vector for all queues of a device.
 *   - Device memory comes from dma_alloc while booting; using a queue never allocates.
 *
 * Bring-up, in the order of virtio 1.2 3.1.1: virtio_start, virtio_negotiate, virtqueue_init
 * for each queue, virtio_ready; on any failure virtio_fail.
 * Locks: each queue needs its driver's lock; bring-up runs on one CPU.
 */
#pragma once

#include "kernel/arch/trap.h"
#include "kernel/lib/types.h"

#define VIRTIO_VENDOR      0x1af4
#define VIRTIO_F_VERSION_1 (1UL << 32)
#define VIRTQUEUE_MAX      256 /* descriptors */

struct pci_device;
struct virtio_common;
struct virtq_desc;
struct virtq_avail;
struct virtq_used;

struct virtio_device {
    struct pci_device *pci;
    volatile struct virtio_common *common;
    volatile uint8_t *notify;
    uint32_t notify_multiplier;
    volatile uint8_t *config; /* device-specific configuration, config_len bytes */
    uint32_t config_len;
    uint64_t features; /* those that both sides have agreed to */
};

struct virtqueue {
    struct virtio_device *device;
    uint16_t index;
    uint16_t size;
    uint16_t free_head; /* chain of free descriptors */
    uint16_t free_count;
    uint16_t used_seen; /* entries of the used ring taken so far */
    volatile struct virtq_desc *desc;
    volatile struct virtq_avail *avail;
    volatile struct virtq_used *used;
    volatile uint16_t *doorbell;
    void *cookie[VIRTQUEUE_MAX]; /* by head descriptor: the driver's; NULL: not in flight */
};

/* One piece of a buffer. Those the device writes come last. */
struct virtio_piece {
    paddr_t addr;
    uint32_t len;
    bool device_writes;
};

/*
 * virtio_start - find the registers of @pci, reset the device and say hello.
 * @h, @arg: its interrupt, for all queues.
 * Returns: 0; -ENODEV when it has no modern interface or no MSI-X; -ENOMEM; -ENOSPC; -EIO if it
 *          does not reset.
 */
int virtio_start(struct virtio_device *vd, struct pci_device *pci, irq_handler h,
                 void *arg) MUST_CHECK;

/* Agree on VERSION_1 and what is offered of @wanted: 0 with vd->features set, or -ENODEV. */
int virtio_negotiate(struct virtio_device *vd, uint64_t wanted) MUST_CHECK;

/*
 * virtqueue_init - set up queue @index with at most @size descriptors (a power of two).
 * Returns: 0; -ENODEV when the device has no such queue; -ENOMEM; -EIO.
 */
int virtqueue_init(struct virtqueue *vq, struct virtio_device *vd, unsigned index,
                   unsigned size) MUST_CHECK;

/* The driver is ready: from here on the device works. */
void virtio_ready(struct virtio_device *vd);

/* Gives the device up, after a failure. */
void virtio_fail(struct virtio_device *vd);

/* The descriptor that the next buffer's chain will begin with; valid while free_count > 0. */
static inline unsigned
virtqueue_head(const struct virtqueue *vq)
{
    return vq->free_head;
}

/*
 * virtqueue_add - offer a buffer to the device; it sees it at once, but is told by
 * virtqueue_kick.
 * @pieces:  @count of them; @count <= vq->free_count.
 * @cookie:  not NULL; comes back from virtqueue_next.
 */
void virtqueue_add(struct virtqueue *vq, const struct virtio_piece *pieces, unsigned count,
                   void *cookie);

/* Rings the device's bell, unless it said that it needs none. */
void virtqueue_kick(struct virtqueue *vq);

/*
 * virtqueue_next - the next buffer that the device is done with.
 * @len: receives how many bytes the device says it wrote.  Never trust it beyond the buffer.
 * Returns: the cookie, or NULL when there is none.
 */
void *virtqueue_next(struct virtqueue *vq, uint32_t *len);

/* Reads from the device's configuration; 0 beyond its end. */
uint32_t virtio_config32(const struct virtio_device *vd, unsigned offset);
uint64_t virtio_config64(const struct virtio_device *vd, unsigned offset);
