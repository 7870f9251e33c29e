/*
 * earlycon.h - the first serial port without interrupts: for the log before there is
 * a driver, and for the last words of a panic.
 */
#pragma once

#include "kernel/lib/types.h"

/* Sets COM1 to 115200 baud, 8 bits, no parity. */
void earlycon_init(void);

/* A log_sink.  Waits for the port, but not for ever: a machine may have none.  Any context. */
void earlycon_write(const char *text, size_t len);
