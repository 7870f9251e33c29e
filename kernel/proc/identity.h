/*
 * identity.h - the names by which the machine and the kernel
 * go: uname(), sethostname(), /proc/sys/kernel.
 *
 * The kernel's name is "Linux" because programs ask whether the system calls are Linux's, and
 * they are; glibc refuses to start on a release below 3.2.0.
 */
#pragma once

#include "kernel/arch/spinlock.h"
#include "kernel/lib/types.h"

#define IDENTITY_SYSNAME "Linux"
#define IDENTITY_RELEASE "6.1.0-vitrine"
#define IDENTITY_VERSION "Vitrine"
#define IDENTITY_MACHINE "x86_64"
#define HOSTNAME_MAX     64 /* without the NUL */

/*
 * identity_get_hostname - copies the host's name with its NUL to @buf of
 * HOSTNAME_MAX + 1 bytes. Any context.
 */
void identity_get_hostname(char *buf);

/*
 * identity_set_hostname - a new name.
 * @name: @n bytes of kernel memory, NUL not needed.
 * Does not sleep; the caller has judged whether it may.
 * Returns: 0, or -EINVAL when it is longer than HOSTNAME_MAX.
 */
int identity_set_hostname(const char *name, size_t n) MUST_CHECK;
