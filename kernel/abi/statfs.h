/*
 * statfs.h - what statfs() tells (asm-generic/statfs.h, linux/magic.h).
 */
#pragma once

#include "kernel/lib/types.h"

struct abi_statfs {
    int64_t f_type;
    int64_t f_bsize;
    uint64_t f_blocks;
    uint64_t f_bfree;
    uint64_t f_bavail;
    uint64_t f_files;
    uint64_t f_ffree;
    uint64_t f_fsid;
    int64_t f_namelen;
    int64_t f_frsize;
    int64_t f_flags;
    int64_t f_spare[4];
};
STATIC_ASSERT(sizeof(struct abi_statfs) == 120);

#define EXT2_SUPER_MAGIC 0xEF53
#define TMPFS_MAGIC      0x01021994
#define PROC_SUPER_MAGIC 0x9fa0
#define PIPEFS_MAGIC     0x50495045

#define ST_RDONLY 1
#define ST_VALID  0x20
