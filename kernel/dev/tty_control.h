/*
 * tty_control.h - terminals and job control: sessions, foreground and background, ioctls.
 *
 * What others need of it stands in tty.h; this is for tty.c.
 */
#pragma once

#include "kernel/dev/tty.h"

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
