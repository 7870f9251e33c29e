/*
 * virtio.c - the transport of virtio 1.x devices over PCI, and their split virtqueues.
 *
 * Layouts and order are from virtio 1.2: PCI capabilities 4.1.4, initialization 3.1.1, split
 * virtqueues 2.7. The device reads and writes the rings while we do.  On x86 stores are seen in
 * program order, so it takes only a compiler barrier to publish a buffer before its index; one
 * place needs a full fence, and says why.
 *
 * A queue's descriptors that are free form a chain by their next fields.
 */
#include "kernel/dev/virtio.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/dev/pci.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"
#include "mm/layout.h"

/* virtio 1.2, 4.1.4.3 */
struct virtio_common {
    uint32_t device_feature_select;
    uint32_t device_feature;
    uint32_t driver_feature_select;
    uint32_t driver_feature;
    uint16_t config_msix_vector;
    uint16_t num_queues;
    uint8_t device_status;
    uint8_t config_generation;
    uint16_t queue_select;
    uint16_t queue_size;
    uint16_t queue_msix_vector;
    uint16_t queue_enable;
    uint16_t queue_notify_off;
    uint32_t queue_desc[2];
    uint32_t queue_driver[2];
    uint32_t queue_device[2];
};

STATIC_ASSERT(sizeof(struct virtio_common) == 56);

/* virtio 1.2, 2.7.5 to 2.7.8 */
struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

struct virtq_avail {
    uint16_t flags;
    uint16_t idx;
    uint16_t ring[];
};

struct virtq_used_elem {
    uint32_t id;
    uint32_t len;
};

struct virtq_used {
    uint16_t flags;
    uint16_t idx;
    struct virtq_used_elem ring[];
};

#define DESC_NEXT          1
#define DESC_WRITE         2
#define USED_NO_NOTIFY     1
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER      2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define STATUS_FAILED      128
#define CAP_COMMON         1 /* cfg_type of the vendor capability */
#define CAP_NOTIFY         2
#define CAP_DEVICE         4
#define NO_VECTOR          0xffff
#define RESET_TRIES        100

#define barrier() __asm__ volatile("" ::: "memory")

/* Maps what one vendor capability points at. Returns NULL for one that points at nothing. */
static volatile void *
map_capability(const struct pci_device *pci, unsigned cap, uint32_t *len)
{
    paddr_t bar = pci_bar(pci, pci_read8(pci, cap + 4));
    uint32_t offset = pci_read32(pci, cap + 8);

    *len = pci_read32(pci, cap + 12);
    if (bar == 0 || *len == 0)
        return NULL;
    return kvmap_device(bar + offset, *len, false);
}

static int
find_registers(struct virtio_device *vd)
{
    const struct pci_device *pci = vd->pci;
    uint32_t len;

    for (unsigned cap = pci_capability(pci, PCI_CAP_VENDOR, 0); cap != 0;
         cap = pci_capability(pci, PCI_CAP_VENDOR, cap)) {
        unsigned type = pci_read8(pci, cap + 3);

        if (type == CAP_COMMON && vd->common == NULL) {
            vd->common = map_capability(pci, cap, &len);
            if (vd->common != NULL && len < sizeof(struct virtio_common))
                return -ENODEV;
        } else if (type == CAP_NOTIFY && vd->notify == NULL) {
            vd->notify = map_capability(pci, cap, &len);
            vd->notify_multiplier = pci_read32(pci, cap + 16);
        } else if (type == CAP_DEVICE && vd->config == NULL) {
            vd->config = map_capability(pci, cap, &vd->config_len);
        }
    }
    return vd->common != NULL && vd->notify != NULL ? 0 : -ENODEV;
}

static void
add_status(struct virtio_device *vd, uint8_t bits)
{
    vd->common->device_status = vd->common->device_status | bits;
}

/* The device has reset when its status reads 0 (virtio 1.2, 4.1.4.3.1). */
static int
reset(struct virtio_device *vd)
{
    vd->common->device_status = 0;
    for (int i = 0; i < RESET_TRIES; i++) {
        if (vd->common->device_status == 0)
            return 0;
        for (int spin = 0; spin < 10000; spin++)
            cpu_relax();
    }
    return -EIO;
}

int
virtio_start(struct virtio_device *vd, struct pci_device *pci, irq_handler h, void *arg)
{
    int err;

    *vd = (struct virtio_device){.pci = pci};
    pci_enable(pci);
    err = find_registers(vd);
    if (err == 0)
        err = reset(vd);
    if (err == 0)
        err = pci_msix_enable(pci, h, arg);
    if (err != 0)
        return err;

    add_status(vd, STATUS_ACKNOWLEDGE);
    add_status(vd, STATUS_DRIVER);
    vd->common->config_msix_vector = NO_VECTOR;
    return 0;
}

int
virtio_negotiate(struct virtio_device *vd, uint64_t wanted)
{
    uint64_t offered;

    vd->common->device_feature_select = 0;
    offered = vd->common->device_feature;
    vd->common->device_feature_select = 1;
    offered |= (uint64_t)vd->common->device_feature << 32;
    if (!(offered & VIRTIO_F_VERSION_1))
        return -ENODEV;

    vd->features = offered & (wanted | VIRTIO_F_VERSION_1);
    vd->common->driver_feature_select = 0;
    vd->common->driver_feature = (uint32_t)vd->features;
    vd->common->driver_feature_select = 1;
    vd->common->driver_feature = (uint32_t)(vd->features >> 32);
    add_status(vd, STATUS_FEATURES_OK);
    return vd->common->device_status & STATUS_FEATURES_OK ? 0 : -ENODEV;
}

/* Lays the three parts out in @pages of DMA memory: descriptors, available ring, used ring. */
static int
alloc_rings(struct virtqueue *vq)
{
    size_t avail = sizeof(struct virtq_desc) * vq->size;
    size_t used = ROUND_UP(avail + sizeof(struct virtq_avail) + 2UL * vq->size + 2, 8);
    size_t end =
        used + sizeof(struct virtq_used) + sizeof(struct virtq_used_elem) * vq->size + 2;
    char *base = dma_alloc((unsigned)(page_ceil(end) / PAGE_SIZE));

    if (base == NULL)
        return -ENOMEM;
    vq->desc = (struct virtq_desc *)base;
    vq->avail = (struct virtq_avail *)(base + avail);
    vq->used = (struct virtq_used *)(base + used);
    for (unsigned i = 0; i < vq->size; i++)
        vq->desc[i].next = (uint16_t)(i + 1);
    vq->free_head = 0;
    vq->free_count = vq->size;
    return 0;
}

static void
set_address(volatile uint32_t where[2], const volatile void *p)
{
    paddr_t pa = virt_to_phys((const void *)p);

    where[0] = (uint32_t)pa;
    where[1] = (uint32_t)(pa >> 32);
}

int
virtqueue_init(struct virtqueue *vq, struct virtio_device *vd, unsigned index, unsigned size)
{
    volatile struct virtio_common *common = vd->common;
    int err;

    ASSERT(size <= VIRTQUEUE_MAX && (size & (size - 1)) == 0);
    *vq = (struct virtqueue){.device = vd, .index = (uint16_t)index};
    if (index >= common->num_queues)
        return -ENODEV;
    common->queue_select = (uint16_t)index;
    if (common->queue_size == 0)
        return -ENODEV;
    vq->size = (uint16_t)MIN(size, common->queue_size);
    common->queue_size = vq->size;

    err = alloc_rings(vq);
    if (err != 0)
        return err;
    set_address(common->queue_desc, vq->desc);
    set_address(common->queue_driver, vq->avail);
    set_address(common->queue_device, vq->used);
    common->queue_msix_vector = 0;
    if (common->queue_msix_vector != 0)
        return -EIO;
    vq->doorbell = (volatile uint16_t *)(vd->notify + (size_t)common->queue_notify_off *
                                                          vd->notify_multiplier);
    common->queue_enable = 1;
    return 0;
}

void
virtio_ready(struct virtio_device *vd)
{
    add_status(vd, STATUS_DRIVER_OK);
}

void
virtio_fail(struct virtio_device *vd)
{
    if (vd->common != NULL)
        add_status(vd, STATUS_FAILED);
}

void
virtqueue_add(struct virtqueue *vq, const struct virtio_piece *pieces, unsigned count,
              void *cookie)
{
    uint16_t head = vq->free_head, at = head;

    ASSERT(count > 0 && count <= vq->free_count && cookie != NULL);
    for (unsigned i = 0; i < count; i++) {
        volatile struct virtq_desc *d = &vq->desc[at];

        d->addr = pieces[i].addr;
        d->len = pieces[i].len;
        d->flags = (uint16_t)((pieces[i].device_writes ? DESC_WRITE : 0) |
                              (i + 1 < count ? DESC_NEXT : 0));
        at = d->next;
    }
    vq->free_head = at;
    vq->free_count = (uint16_t)(vq->free_count - count);
    vq->cookie[head] = cookie;

    vq->avail->ring[vq->avail->idx % vq->size] = head;
    barrier(); /* the index last: what it counts must be there */
    vq->avail->idx = (uint16_t)(vq->avail->idx + 1);
}

void
virtqueue_kick(struct virtqueue *vq)
{
    /*
     * Our new index must be visible before we look whether the device still watches: otherwise
     * it could go to sleep on the old index while we see the flag from before, and nobody
     * rings.
     */
    __asm__ volatile("mfence" ::: "memory");
    if (!(vq->used->flags & USED_NO_NOTIFY))
        *vq->doorbell = vq->index;
}

/* Puts the chain that begins at @head back among the free ones. */
static void
free_chain(struct virtqueue *vq, uint16_t head)
{
    uint16_t last = head;
    unsigned count = 1;

    while (vq->desc[last].flags & DESC_NEXT) {
        last = vq->desc[last].next;
        count++;
    }
    vq->desc[last].next = vq->free_head;
    vq->free_head = head;
    vq->free_count = (uint16_t)(vq->free_count + count);
}

void *
virtqueue_next(struct virtqueue *vq, uint32_t *len)
{
    while (vq->used_seen != vq->used->idx) {
        volatile struct virtq_used_elem *e = &vq->used->ring[vq->used_seen % vq->size];
        uint32_t id;
        void *cookie;

        barrier(); /* the entry is read after the index that counts it */
        id = e->id;
        *len = e->len;
        vq->used_seen++;
        cookie = id < vq->size ? vq->cookie[id] : NULL;
        if (cookie == NULL) {
            kprintf("virtio: queue %u: the device returned buffer %u, which it did not have\n",
                    vq->index, id);
            continue;
        }
        vq->cookie[id] = NULL;
        free_chain(vq, (uint16_t)id);
        return cookie;
    }
    return NULL;
}

uint32_t
virtio_config32(const struct virtio_device *vd, unsigned offset)
{
    if (vd->config == NULL || offset + 4 > vd->config_len)
        return 0;
    return *(volatile uint32_t *)(vd->config + offset);
}

uint64_t
virtio_config64(const struct virtio_device *vd, unsigned offset)
{
    return virtio_config32(vd, offset) | (uint64_t)virtio_config32(vd, offset + 4) << 32;
}
