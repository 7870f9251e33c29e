/*
 * virtio_rng.c - random bytes from the host (virtio 1.2, 5.4 "Entropy Device").
 *
 * One queue, one buffer, filled by the device; it is asked while booting and then left alone,
 * for the generator needs no more than one key.  It may give fewer bytes than it was asked for
 * at a time, and it may take its time.
 *
 * Called by dev.c.  What the device gives is mixed in, never taken instead of what was there: a
 * host that lies does no harm to what RDSEED gave.
 */
#include "kernel/dev/virtio_rng.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/dev/pci.h"
#include "kernel/dev/virtio.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/random.h"
#include "kernel/lib/string.h"
#include "mm/kvmap.h"
#include "mm/layout.h"

#define DEVICE_TRANSITIONAL 0x1005
#define DEVICE_MODERN       0x1044

#define PATIENCE (2 * NSEC_PER_SEC)

static struct virtio_device device;
static struct virtqueue queue;

/* Nothing to do: who asks looks at the queue until the answer is there. */
static void
interrupt(void *arg UNUSED)
{
}

/*
 * Asks for @want bytes at @to, DMA memory, and waits by looking: the clock of a sleeping machine
 * under -icount leaps over the time that the host needs. Returns how many came.
 */
static size_t
ask(uint8_t *to, size_t want, nsec_t deadline)
{
    struct virtio_piece piece = {virt_to_phys(to), (uint32_t)want, true};
    uint32_t got;

    virtqueue_add(&queue, &piece, 1, to);
    virtqueue_kick(&queue);
    while (virtqueue_next(&queue, &got) == NULL) {
        if (clock_now() > deadline)
            return 0;
        cpu_relax();
    }
    return MIN(got, want);
}

static int
collect(void)
{
    nsec_t deadline = clock_now() + PATIENCE;
    uint8_t *page = dma_alloc(1);
    size_t have = 0;

    if (page == NULL)
        return -ENOMEM;
    while (have < RANDOM_KEY_SIZE) {
        size_t n = ask(page + have, RANDOM_KEY_SIZE - have, deadline);

        if (n == 0)
            return -EIO;
        have += n;
    }
    random_mix(page, RANDOM_KEY_SIZE);
    memset(page, 0, RANDOM_KEY_SIZE);
    return 0;
}

bool
virtio_rng_init(void)
{
    struct pci_device *pci = pci_find(VIRTIO_VENDOR, DEVICE_TRANSITIONAL, DEVICE_MODERN, NULL);
    int err;

    if (pci == NULL)
        return false;
    err = virtio_start(&device, pci, interrupt, NULL);
    if (err == 0)
        err = virtio_negotiate(&device, 0);
    if (err == 0)
        err = virtqueue_init(&queue, &device, 0, 1);
    if (err == 0) {
        virtio_ready(&device);
        err = collect();
    }
    if (err != 0) {
        virtio_fail(&device);
        kprintf("virtio-rng: cannot be used, error %d\n", -err);
    }
    return err == 0;
}
