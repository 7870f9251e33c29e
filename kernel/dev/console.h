/*
 * console.h - the system console: one terminal made of COM1, the keyboard and the screen.
 */
#pragma once

#include "kernel/dev/tty.h"

/* Makes the console's tty and starts the devices that it is made of. Called by dev_init. */
void console_init(void);

/* The terminal behind /dev/console. Never NULL after dev_init. */
struct tty *console_tty(void);
