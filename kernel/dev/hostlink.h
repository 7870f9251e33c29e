/*
 * hostlink.h - the line to the program on the host that started this machine (./vm run).
 *
 * Frames over a virtio console port, in both directions: u8 type, 3 zero
 * bytes, u32 length (little-endian), then that many bytes.
 *   to the host:   'O' standard output, 'E' standard error, 'R' u32 max: please send input,
 *                  'X' u32 status, u32 check_failed: the end
 *   to the guest:  'I' the answer to one 'R'; empty means end of input, now and ever after
 */
#pragma once

#include "kernel/lib/types.h"
#include "kernel/sched/waitq.h"

enum hostlink_stream { HOSTLINK_OUT = 'O', HOSTLINK_ERR = 'E' };

/* Looks for the port; called by dev_init. Returns true if there is one. */
bool hostlink_init(void);
bool hostlink_present(void);

/*
 * hostlink_write - send bytes to one of the host's streams.
 * @buf: kernel memory.
 * Sleeps, interruptibly, until all is queued.
 * Returns: bytes queued (less than @n when a signal came), or -ERESTARTSYS with nothing queued,
 *          or -ENXIO.
 */
ssize_t hostlink_write(enum hostlink_stream stream, const void *buf, size_t n);

/*
 * hostlink_read - the next bytes of the host's standard input.
 * @buf: kernel memory, @n > 0.
 * Asks the host, and sleeps interruptibly until it answers (@nonblock: does not sleep).  What
 * comes too late for an interrupted caller is kept for the next one.
 * Returns: 1..@n; 0 at the end of input; -ERESTARTSYS; -EAGAIN; -ENXIO.
 */
ssize_t hostlink_read(void *buf, size_t n, bool nonblock);

/* POLLIN as it holds; may ask the host for input.  Wait on hostlink_event. */
unsigned hostlink_poll(void);
extern struct waitq hostlink_event;

/*
 * hostlink_exit - say how the program ended, and wait until the host's side has taken it.
 * @status: 0..255 in the shell's convention.  @check_failed: non-zero when vm_check() found
 * something. Sleeps, uninterruptibly, at most ten seconds.
 */
void hostlink_exit(uint32_t status, uint32_t check_failed);
