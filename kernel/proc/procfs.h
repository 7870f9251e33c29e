/*
 * procfs.h - /proc: processes and the kernel's state as files, in Linux's formats (proc(5)), and
 * /proc/vitrine, where tests read what the memory system did.
 */
#pragma once

/*
 * procfs_init - makes the file system type "proc" known; once, after fs_init()
 * and before fs_mount_all().
 */
void procfs_init(void);
