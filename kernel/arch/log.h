/*
 * log.h - what drivers and panic() need of the kernel's log besides kprintf
 * (kernel/lib/printf.h).
 */
#pragma once

#include "kernel/lib/printf.h"

#define LOG_SIZE (64 * KIB)

/*
 * log_replace_sink - from now on the log goes to @fresh where it went to @old, without
 * repeating what @old has shown. For the serial driver, which takes over from
 * earlycon_write.  No @old: same as log_add_sink.
 */
void log_replace_sink(log_sink old, log_sink fresh);

/* From now on the log takes no lock: the CPU that panics may hold it.  For panic() only. */
void log_enter_panic(void);
