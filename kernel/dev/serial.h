/*
 * serial.h - COM1, a 16550 UART: 115200 8n1, both directions by interrupt.
 */
#pragma once

#include "kernel/lib/types.h"

struct tty;

/*
 * serial_init - set COM1 up and make it a console of the kernel's log.
 * @tty: gets what is received, and is told when there is room to send.
 * Returns: false when there is no UART at the usual port.
 */
bool serial_init(struct tty *tty);

/* Room in the send ring, in bytes; 0 without a UART takes nothing, see serial_write. */
size_t serial_room(void);

/* Bytes in the ring that the UART has not taken yet. */
size_t serial_pending(void);

/*
 * serial_receive_more - tty_receive_room has grown: go on if receiving stopped for want of it. Any
 * context.  Until then bytes wait in the UART, and under QEMU on the host.
 */
void serial_receive_more(void);

/*
 * serial_write - queue @n bytes; what does not fit is sent by waiting for the UART. Any
 * context, any lock but the driver's own.  Without a UART the bytes are gone.
 */
void serial_write(const char *buf, size_t n);
