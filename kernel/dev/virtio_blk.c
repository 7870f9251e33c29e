/*
 * virtio_blk.c - disks behind virtio: vda, vdb, ...
 *
 * A request goes to the device as header, data segments, status byte (virtio 1.2, 5.2.6).
 * Header and status of each request in flight lie in a slot of memory that is numbered like the
 * head of its descriptor chain, so a slot is free when its descriptor is, and submitting needs
 * no memory.  What does not fit into the queue waits in a list, in order.
 *
 * With the option "repeatable" a thread that submits waits on the spot, with all CPUs halted and
 * the clock's alarms held: the host's disk then takes no time at all, as the guest sees it, and
 * its interrupt comes at the same instruction in every run.
 *
 * Locks: disk->lock guards the queue and the list.  It is let go before block_done, which may
 *        submit again.
 */
#include "kernel/dev/virtio_blk.h"

#include "boot/bootinfo.h"
#include "kernel/abi/errno.h"
#include "kernel/arch/ap.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"
#include "kernel/dev/block.h"
#include "kernel/dev/pci.h"
#include "kernel/dev/virtio.h"
#include "kernel/lib/printf.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"
#include "mm/layout.h"

#define DISKS_MAX 8
#define REST      (10 * NSEC_PER_USEC)

#define DEVICE_TRANSITIONAL 0x1001
#define DEVICE_MODERN       0x1042

#define F_SEG_MAX (1UL << 2)
#define F_RO      (1UL << 5)
#define F_FLUSH   (1UL << 9)

#define CONFIG_CAPACITY 0
#define CONFIG_SEG_MAX  12

#define TYPE_IN    0
#define TYPE_OUT   1
#define TYPE_FLUSH 4

/* What the device reads and writes besides the data. */
struct slot {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
    uint8_t status;
    uint8_t unused[15];
};

STATIC_ASSERT(sizeof(struct slot) == 32);

#define SLOT_HEADER offsetof(struct slot, status)
#define STATUS_NONE 0xff /* what the device did not overwrite is an error */

struct disk {
    struct block_device block;
    struct virtio_device virtio;
    struct virtqueue queue;
    struct spinlock lock;
    struct list waiting;
    struct slot *slots;
};

static unsigned disk_count;
static bool repeatable;

/* disk->lock held; there is room for it. */
static void
start(struct disk *disk, struct block_request *req)
{
    struct slot *slot = &disk->slots[virtqueue_head(&disk->queue)];
    struct virtio_piece pieces[BLOCK_SEGMENTS_MAX + 2];
    unsigned n = 0;

    *slot = (struct slot){
        .type = req->flush   ? TYPE_FLUSH
                : req->write ? TYPE_OUT
                             : TYPE_IN,
        .sector = req->flush ? 0 : req->sector,
        .status = STATUS_NONE,
    };
    pieces[n++] = (struct virtio_piece){virt_to_phys(slot), SLOT_HEADER, false};
    for (unsigned i = 0; i < req->count && !req->flush; i++)
        pieces[n++] =
            (struct virtio_piece){req->segments[i].addr, req->segments[i].len, !req->write};
    pieces[n++] = (struct virtio_piece){virt_to_phys(&slot->status), 1, true};
    req->private_slot = slot;
    virtqueue_add(&disk->queue, pieces, n, req);
}

static bool
fits(const struct disk *disk, const struct block_request *req)
{
    return disk->queue.free_count >= (req->flush ? 0 : req->count) + 2;
}

/* Starts what waits, as far as there is room. disk->lock held. */
static void
start_waiting(struct disk *disk)
{
    bool started = false;

    for (;;) {
        struct block_request *req = list_first(&disk->waiting, struct block_request, link);

        if (req == NULL || !fits(disk, req))
            break;
        list_del(&req->link);
        start(disk, req);
        started = true;
    }
    if (started)
        virtqueue_kick(&disk->queue);
}

/* No time passes for anybody until the device has answered. Returns with interrupts off. */
static void
stop_time(struct disk *disk)
{
    ap_hold_others();
    irq_push_off();
    clock_hold_alarm();
    pci_msix_here(disk->virtio.pci);
}

/*
 * Goes on when the device has answered everything.  A late answer finds all CPUs at rest, from
 * where QEMU counts their turns anew, an early one does not: so in the end all rest once more.
 */
static void
halt_until_done(struct disk *disk)
{
    do
        cpu_halt_until_interrupt();
    while (READ_ONCE(disk->queue.free_count) < disk->queue.size);
    if (cpu_count > 1)
        clock_halt_for(REST);
    clock_release_alarm();
    irq_pop_off();
    ap_release_others();
}

static void
disk_submit(struct block_device *dev, struct block_request *req)
{
    struct disk *disk = dev->private;

    /* Not where interrupts are off: in a handler, or under a lock. */
    bool wait = repeatable && irq_enabled();

    if (wait)
        stop_time(disk);
    spin_lock(&disk->lock);
    list_push_back(&disk->waiting, &req->link);
    start_waiting(disk);
    spin_unlock(&disk->lock);
    if (wait)
        halt_until_done(disk);
}

/* The next request that the device is done with, or NULL. */
static struct block_request *
take_done(struct disk *disk)
{
    struct block_request *req;
    uint32_t len;

    spin_lock(&disk->lock);
    req = virtqueue_next(&disk->queue, &len);
    if (req != NULL) {
        const volatile struct slot *slot = req->private_slot;

        req->status = slot->status == 0 ? 0 : -EIO;
        start_waiting(disk);
    }
    spin_unlock(&disk->lock);
    return req;
}

static void
disk_interrupt(void *arg)
{
    struct disk *disk = arg;
    struct block_request *req;

    while ((req = take_done(disk)) != NULL)
        block_done(req, req->status);
}

static const struct block_ops disk_ops = {.submit = disk_submit};

/* Queue and slots. The queue must hold a request of the largest size, or it waits for ever. */
static int
init_queue(struct disk *disk)
{
    int err = virtio_negotiate(&disk->virtio, F_SEG_MAX | F_RO | F_FLUSH);

    if (err != 0)
        return err;
    if ((disk->virtio.features & F_SEG_MAX) &&
        virtio_config32(&disk->virtio, CONFIG_SEG_MAX) < BLOCK_SEGMENTS_MAX)
        return -ENOSPC;
    err = virtqueue_init(&disk->queue, &disk->virtio, 0, VIRTQUEUE_MAX);
    if (err != 0)
        return err;
    if (disk->queue.size < BLOCK_SEGMENTS_MAX + 2)
        return -ENOSPC;
    disk->slots =
        dma_alloc((unsigned)(page_ceil(disk->queue.size * sizeof(struct slot)) / PAGE_SIZE));
    return disk->slots == NULL ? -ENOMEM : 0;
}

static void
publish(struct disk *disk)
{
    struct block_device *dev = &disk->block;

    dev->sectors = virtio_config64(&disk->virtio, CONFIG_CAPACITY);
    dev->read_only = disk->virtio.features & F_RO;
    dev->can_flush = disk->virtio.features & F_FLUSH;
    dev->number = disk_count;
    dev->ops = &disk_ops;
    dev->private = disk;
    snprintf(dev->name, sizeof(dev->name), "vd%c", 'a' + disk_count);
    disk_count++;
    block_register(dev);
    kprintf("%s: virtio disk, %lu KiB%s%s\n", dev->name, dev->sectors / 2,
            dev->read_only ? ", read-only" : "", dev->can_flush ? "" : ", no write cache");
}

static void
init_disk(struct pci_device *pci)
{
    struct disk *disk;
    int err;

    if (disk_count == DISKS_MAX)
        return;
    /* A disk is larger than kmalloc's largest object, and stays for ever. */
    disk = dma_alloc((unsigned)(page_ceil(sizeof(*disk)) / PAGE_SIZE));
    if (disk == NULL) {
        kprintf("virtio-blk: no memory for a disk\n");
        return;
    }
    disk->lock = (struct spinlock)SPINLOCK_INIT("virtio-blk");
    list_init(&disk->waiting);
    err = virtio_start(&disk->virtio, pci, disk_interrupt, disk);
    if (err == 0)
        err = init_queue(disk);
    if (err != 0) {
        virtio_fail(&disk->virtio);
        kprintf("virtio-blk: the disk at %02x:%02x.%u cannot be used, error %d\n", pci->bus,
                pci->slot, pci->function, -err);
        return;
    }
    virtio_ready(&disk->virtio);
    publish(disk);
}

/* In bus order whichever kind each is, so that the names follow the order of QEMU's options. */
unsigned
virtio_blk_init(void)
{
    struct pci_device *pci = NULL;
    char value[2];

    repeatable = boot_option("repeatable", value, sizeof(value));
    while ((pci = pci_find(VIRTIO_VENDOR, DEVICE_TRANSITIONAL, DEVICE_MODERN, pci)) != NULL)
        init_disk(pci);
    return disk_count;
}
