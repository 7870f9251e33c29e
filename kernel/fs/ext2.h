/*
 * ext2.h - the file system on the disk, as mke2fs makes it.
 *
 *   - Revision 1, blocks of 1, 2 and 4 KiB, inodes of 128 and 256 bytes, the features
 *     FILETYPE, SPARSE_SUPER and LARGE_FILE.  Other incompatible features are refused with a
 *     line in the log; other read-only-compatible ones give a read-only file system.
 *   - A damaged file system gives -EIO and a line in the log, never more.
 *   - SIMPLE: no journal, no hashed directories (they are read linearly, and lose their index
 *     when changed), no extended attributes (they are kept, and
 *     e2fsck must free them).
 */
#pragma once

#include "kernel/fs/super.h"

/* For fs_type_register; its mount is as super.h says. */
extern struct fs_type ext2_fs_type;
