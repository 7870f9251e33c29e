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
#include "kernel/dev/keyboard.h"
#include "kernel/dev/pci.h"
#include "kernel/dev/screen.h"
#include "kernel/dev/serial.h"
#include "kernel/dev/virtio_blk.h"
#include "kernel/dev/virtio_rng.h"
#include "kernel/lib/printf.h"

static const struct serial_events serial_events = {
    .receive = console_input,
    .room = console_input_room,
    .sent = console_output_ready,
};

void
dev_init_early(void)
{
    fwcfg_init();
}

/* The tty is ready before its devices: an interrupt may bring a byte at once. */
static void
init_console(void)
{
    unsigned rows, cols;

    console_init();
    if (serial_init(&serial_events))
        kprintf("serial: COM1, 115200 8n1\n");
    else
        kprintf("serial: no UART at COM1\n");
    if (screen_init()) {
        screen_size(&rows, &cols);
        kprintf("screen: %u by %u characters\n", cols, rows);
    } else {
        kprintf("screen: none\n");
    }
    kprintf(keyboard_init(console_input) ? "keyboard: PS/2, US layout\n" : "keyboard: none\n");
}

void
dev_init(void)
{
    char seed[2];

    init_console();
    kprintf("fw_cfg: %s\n", fwcfg_present() ? "QEMU's" : "none");
    kprintf("pci: %u devices\n", pci_init());
    if (virtio_blk_init() == 0)
        kprintf("virtio-blk: no disk\n");
    if (!boot_option("seed", seed, sizeof(seed))) /* a seeded run depends on its seed alone */
        kprintf(virtio_rng_init() ? "virtio-rng: mixed in\n" : "virtio-rng: none\n");
    kprintf(hostlink_init() ? "hostlink: connected\n" : "hostlink: none\n");
}
