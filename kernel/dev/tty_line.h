/*
 * tty_line.h - the line discipline: what happens to each byte between the device and the
 * programs.
 *
 * For tty.c and tty_control.c only.  Every function here needs T (tty->lock) and does not
 * sleep.
 */
#pragma once

#include "kernel/dev/tty.h"

/* The settings that a terminal begins with: POSIX 11.2 and Linux's choice of characters. */
extern const struct termios line_default_termios;

/*
 * line_receive - one byte from the device: edit, echo, store.
 * Returns: the signal that it means for the foreground group, or 0.
 */
int line_receive(struct tty *tty, uint8_t c);

/* Sends a program's bytes as c_oflag says, at most LINE_EXPANSION for each. */
void line_output(struct tty *tty, const char *buf, size_t n);
#define LINE_EXPANSION 2

/* True if a read would find something: a line or end of file in canonical mode, else a byte. */
bool line_ready(const struct tty *tty);

/*
 * line_take - move input to a reader.
 * @end: set when a line's end, or ^D, was reached (canonical mode only).
 * Returns: bytes copied, at most @size; ^D itself is not among them.
 */
size_t line_take(struct tty *tty, uint8_t *buf, size_t size, bool *end);

/* Bytes that FIONREAD counts. */
unsigned line_readable_bytes(const struct tty *tty);

/* Throws all input away. */
void line_flush(struct tty *tty);

/* Takes new settings; what is in the buffer becomes readable when the mode changes. */
void line_set_termios(struct tty *tty, const struct termios *t);
