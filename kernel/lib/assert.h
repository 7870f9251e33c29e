/*
 * assert.h - for a kernel's own mistakes only.  A user's mistake is an errno or a signal, a
 * broken disk is -EIO.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * panic - say what broke, with registers and a backtrace, and stop the machine.
 * @fmt: the reason in words, without a newline.
 */
void panic(const char *fmt, ...) NORETURN PRINTF_LIKE(1, 2);

#define ASSERT(cond)                                                                   \
    do {                                                                               \
        if (unlikely(!(cond)))                                                         \
            panic("assertion failed: %s, at %s:%d in %s()", #cond, __FILE__, __LINE__, \
                  __func__);                                                           \
    } while (0)
