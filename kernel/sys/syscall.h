/*
 * syscall.h - one line for each system call.
 *
 * A handler takes the six argument registers (rdi rsi rdx r10 r8 r9) as they
 * came, gives each a name and a type in its first lines, and returns a result or -Exxx.
 * Numbers and contracts are Linux's; docs/syscalls.md says where we differ.
 */
#pragma once

#include "kernel/lib/types.h"

typedef int64_t syscall_fn(const uint64_t a[6]);

struct syscall {
    const char *name;
    syscall_fn *call;
    /* For strace: a letter per argument, see table.h. */
    const char *args;
};

#define SYSCALL_MAX 462

/* Indexed by number; call == NULL: -ENOSYS. */
extern const struct syscall syscall_table[SYSCALL_MAX];

void syscall_init(void);
