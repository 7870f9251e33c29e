/*
 * screen.h - the machine's display as a text console: the loader's framebuffer, or VGA text
 * memory.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * screen_init - find the display, clear it, and make it a console of the kernel's log.
 * The kernel option screen=off leaves it alone.
 * Returns: false when there is none that we can use.
 */
bool screen_init(void);

/* Its size in characters; 0 by 0 without one. */
void screen_size(unsigned *rows, unsigned *cols);

/* Shows @n bytes of terminal output, if there is a screen. Any context; does not sleep. */
void screen_write(const char *buf, size_t n);
