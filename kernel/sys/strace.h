/*
 * strace.h - system calls printed to the kernel's log, as strace(1) prints them.
 */
#pragma once

#include "kernel/sys/syscall.h"

/*
 * strace_begin - print the call and its arguments.
 * @s: the call. @a: its argument registers.
 * Locks:   none may be held: strings are read from user memory.  Sleeps.
 */
void strace_begin(const struct syscall *s, const uint64_t a[6]);

/* strace_end - print what it returned; the same thread called strace_begin. Any context. */
void strace_end(const struct syscall *s, int64_t result);
