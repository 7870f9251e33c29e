/*
 * console.h - the system console: one terminal made of COM1, the keyboard and the screen.
 */
#pragma once

#include "kernel/dev/tty.h"

/* Joins the devices that were found into the console's tty. Called by dev_init. */
void console_init(void);

/* The terminal behind /dev/console. Never NULL after dev_init. */
struct tty *console_tty(void);

/* Typed bytes from a keyboard or line. Any context. */
void console_input(const uint8_t *buf, size_t n);

/* How many bytes console_input would take now. Any context. */
size_t console_input_room(void);

/* The line can take more output. Any context. */
void console_output_ready(void);
