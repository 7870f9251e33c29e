/*
 * fwcfg.h - QEMU's firmware configuration device: named files from the command line of the
 * host.
 */
#pragma once

#include "kernel/lib/types.h"

/* Looks for the device, and appends its opt/org.vitrine/cmdline to bootinfo.cmdline. Once. */
void fwcfg_init(void);

/* True if fwcfg_init found the device. */
bool fwcfg_present(void);

/*
 * fwcfg_read - copy a file out.
 * @name: for example "opt/org.vitrine/argv".
 * @buf:  receives the first @size bytes of it.
 * Locks:   none, callers take turns by themselves (boot and init only).  Does not sleep.
 * Returns: the whole file's length, which may be more than @size; or -ENOENT.
 */
ssize_t fwcfg_read(const char *name, void *buf, size_t size);
