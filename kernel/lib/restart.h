/*
 * restart.h - how an interrupted system call says that it may be begun again.
 *
 * Internal to the kernel, never seen by a program: the way back to user mode turns these into
 * -EINTR, or runs the call once more (proc/signal.c).
 */
#pragma once

#define ERESTARTSYS \
    512 /* again, unless a handler without SA_RESTART ran; nothing was done yet */
#define ERESTARTNOHAND 514 /* again only if no handler ran at all */
