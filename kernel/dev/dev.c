/*
 * dev.c - bringing the devices up, in order.
 *
 * The console comes first, so that what the others have to say is seen on it.
 */
#include "kernel/dev/dev.h"

#include "boot/bootinfo.h"
#include "kernel/dev/console.h"
#include "kernel/dev/fwcfg.h"
#include "kernel/dev/hostlink.h"
#include "kernel/dev/pci.h"
#include "kernel/dev/virtio_blk.h"
#include "kernel/dev/virtio_rng.h"
#include "kernel/lib/printf.h"

void
dev_init_early(void)
{
    fwcfg_init();
}

void
dev_init(void)
{
    char seed[2];

    console_init();
    kprintf("fw_cfg: %s\n", fwcfg_present() ? "QEMU's" : "none");
    kprintf("pci: %u devices\n", pci_init());
    if (virtio_blk_init() == 0)
        kprintf("virtio-blk: no disk\n");
    if (!boot_option("seed", seed, sizeof(seed))) /* a seeded run depends on its seed alone */
        kprintf(virtio_rng_init() ? "virtio-rng: mixed in\n" : "virtio-rng: none\n");
    kprintf(hostlink_init() ? "hostlink: connected\n" : "hostlink: none\n");
}
