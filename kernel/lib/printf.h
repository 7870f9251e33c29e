/*
 * printf.h - formatted text, to a buffer or to the kernel's log.
 *
 * Formats: %d %i %u %x %o %c %s %p %% with flags - 0 #, a width, for %s a precision (both also
 * *), and the sizes l, ll and z.  %p prints 0x and the hexadecimal value.  Everything here may
 * be called in any context, with any lock.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * vsnprintf, snprintf - as in C: at most @size bytes with the final NUL.
 * Returns: the length that the whole text has, without the NUL.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Receives a piece of a formatted text, in order; @text has no NUL. */
typedef void (*format_sink)(void *arg, const char *text, size_t len);

/*
 * vformat - what all the others are made of: gives the text to @sink in pieces, needs no
 * buffer.
 * Returns: the length of the whole text.
 */
size_t vformat(format_sink sink, void *arg, const char *fmt, va_list ap);

/* kprintf - print to the kernel's log: the ring that /proc/kmsg shows, and every console. */
void kprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
void kvprintf(const char *fmt, va_list ap);

/* A console: receives the log's text as it is made; must not sleep or log. */
typedef void (*log_sink)(const char *text, size_t len);

/* log_add_sink - one more console for the log, beginning with what the ring still holds. */
void log_add_sink(log_sink sink);

/*
 * log_read - copy out a piece of the ring buffer.
 *
 * @pos:  position in the stream of all text ever logged; text older than the ring is
 *        skipped over.
 * Returns: bytes copied; *pos is moved behind them.
 */
size_t log_read(uint64_t *pos, char *buf, size_t size);
