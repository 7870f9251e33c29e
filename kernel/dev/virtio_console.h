/*
 * virtio_console.h - one byte stream to the host over a virtio console device.
 *
 * Port 0 of a device with a single port, or the first of ports 0 and 1 that a device with many
 * says it has.  A virtserialport is the better one: QEMU throws bytes for a virtconsole away
 * when the host does not read fast enough.
 */
#pragma once

#include "kernel/lib/types.h"

#define VIRTIO_CONSOLE_MESSAGE_MAX 4096

/* Both are called from the interrupt, with no lock held; they must not sleep. */
struct virtio_console_events {
    void (*receive)(const uint8_t *buf, size_t n); /* bytes came */
    void (*sent)(void);                            /* there is room to send again */
};

/* Looks for the device and opens the port. Boot only. Returns true when there is one. */
bool virtio_console_init(const struct virtio_console_events *ev);

/*
 * virtio_console_send - queue @nhead and then @n bytes, all or nothing.
 * @nhead + @n is at most VIRTIO_CONSOLE_MESSAGE_MAX.
 * Any context; does not sleep.
 * Returns: false when there is no room now; events->sent says when to try again.
 */
bool virtio_console_send(const void *head, size_t nhead, const void *buf, size_t n) MUST_CHECK;

/* Looks at the queues as the interrupt does. True when the device has taken all. */
bool virtio_console_drained(void);
