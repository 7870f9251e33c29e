/*
 * tty_internal.h - what the three files of the terminal share: tty.c moves bytes, tty_line.c is
 * the line discipline, tty_control.c job control and ioctls.  Others include tty.h.
 */
#pragma once

#include "kernel/dev/tty.h"

/* --- tty_control.c --- */

/*
 * tty_check_background - may the caller use its controlling terminal now?
 *
 * @sig: SIGTTIN to read, SIGTTOU to write or change it.
 * Locks:   none held; may sleep (upcalls).
 * Returns: 0; -EIO when the signal would not stop anybody; -ERESTARTSYS with the signal sent to
 *          the caller's group.
 */
int tty_check_background(struct tty *tty, int sig) MUST_CHECK;

/* Sends @sig to the foreground group, if there is one. No lock held. */
void tty_signal_foreground(struct tty *tty, int sig);

/* --- tty_line.c: all need T (tty->lock) and do not sleep --- */

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
