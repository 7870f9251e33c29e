/*
 * tmpfs.h - files in memory: /tmp, /dev/shm, memfds, and what /dev is made of.
 *
 *   - Contents are shared-memory objects: pages that swap like any other memory.
 *   - A directory is what the tree of names holds of it (SUPER_IN_MEMORY).
 *   - Each mount may use half of the machine's memory (-ENOSPC beyond).
 */
#pragma once

#include "kernel/fs/super.h"

extern struct fs_type tmpfs_type;

/* Fills in a super as fs_type.mount does; for file systems built on this one (devfs). */
int tmpfs_mount(struct super *s) MUST_CHECK;

/*
 * tmpfs_memfd - a file without a name, that shows as "/memfd:NAME (deleted)".
 * @inode, @dentry: receive references. Returns 0 or -ENOMEM.
 */
int tmpfs_memfd(const char *name, struct inode **inode, struct dentry **dentry) MUST_CHECK;

/* Once, at boot. 0 or -ENOMEM. */
int tmpfs_init(void) MUST_CHECK;
