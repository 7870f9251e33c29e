/*
 * restart.h - how an interrupted system call says that it may be begun again.
 *
 * Internal to the kernel, never seen by a program: the way back to user mode turns these into
 * -EINTR, or runs the call once more (proc/signal.c).
 */
#pragma once

#include "kernel/lib/types.h"

#define ERESTARTSYS \
    512 /* again, unless a handler without SA_RESTART ran; nothing was done yet */
#define ERESTARTNOINTR 513 /* again in any case: the program sees nothing of it */
#define ERESTARTNOHAND 514 /* again only if no handler ran at all */

/* True for a result of a system call that is one of these. */
static inline bool
is_restart(int64_t result)
{
    return result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND;
}
