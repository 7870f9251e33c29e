/*
 * stat.h - file types, mode bits and the structures of stat() and statx(), Linux x86-64
 * (asm/stat.h, linux/stat.h).
 */
#pragma once

#include "kernel/lib/types.h"

#define S_IFMT   0170000U
#define S_IFSOCK 0140000U
#define S_IFLNK  0120000U
#define S_IFREG  0100000U
#define S_IFBLK  0060000U
#define S_IFDIR  0040000U
#define S_IFCHR  0020000U
#define S_IFIFO  0010000U

#define S_ISUID 04000U
#define S_ISGID 02000U
#define S_ISVTX 01000U

#define S_IRWXU 0700U
#define S_IXUSR 0100U
#define S_IXGRP 0010U
#define S_IXOTH 0001U

#define S_IRWXUGO 0777U
#define S_IALLUGO 07777U

#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISLNK(m)  (((m)&S_IFMT) == S_IFLNK)
#define S_ISCHR(m)  (((m)&S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m)&S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m)&S_IFMT) == S_IFSOCK)

/* Linux's encoding of a device number; its low 32 bits are what ext2 stores. */
#define DEV_MAKE(major, minor)                                 \
    ((((dev_t)(major)&0xfffU) << 8) | ((dev_t)(minor)&0xffU) | \
     (((dev_t)(minor) & ~(dev_t)0xff) << 12) | (((dev_t)(major) & ~(dev_t)0xfff) << 32))
#define DEV_MAJOR(d) ((unsigned)((((d) >> 8) & 0xfffU) | (((d) >> 32) & ~0xfffU)))
#define DEV_MINOR(d) ((unsigned)(((d)&0xffU) | (((d) >> 12) & ~0xffU)))

struct abi_timespec {
    int64_t tv_sec;
    int64_t tv_nsec;
};

struct abi_timeval {
    int64_t tv_sec;
    int64_t tv_usec;
};

struct abi_stat {
    uint64_t st_dev;
    uint64_t st_ino;
    uint64_t st_nlink;
    uint32_t st_mode;
    uint32_t st_uid;
    uint32_t st_gid;
    uint32_t pad0;
    uint64_t st_rdev;
    int64_t st_size;
    int64_t st_blksize;
    int64_t st_blocks;
    struct abi_timespec st_atim;
    struct abi_timespec st_mtim;
    struct abi_timespec st_ctim;
    int64_t unused[3];
};
STATIC_ASSERT(sizeof(struct abi_stat) == 144);

struct abi_statx_timestamp {
    int64_t tv_sec;
    uint32_t tv_nsec;
    int32_t pad;
};

struct abi_statx {
    uint32_t stx_mask;
    uint32_t stx_blksize;
    uint64_t stx_attributes;
    uint32_t stx_nlink;
    uint32_t stx_uid;
    uint32_t stx_gid;
    uint16_t stx_mode;
    uint16_t pad0;
    uint64_t stx_ino;
    uint64_t stx_size;
    uint64_t stx_blocks;
    uint64_t stx_attributes_mask;
    struct abi_statx_timestamp stx_atime;
    struct abi_statx_timestamp stx_btime;
    struct abi_statx_timestamp stx_ctime;
    struct abi_statx_timestamp stx_mtime;
    uint32_t stx_rdev_major;
    uint32_t stx_rdev_minor;
    uint32_t stx_dev_major;
    uint32_t stx_dev_minor;
    uint64_t spare[14];
};
STATIC_ASSERT(sizeof(struct abi_statx) == 256);

#define STATX_BASIC_STATS 0x7ffU
#define STATX_RESERVED    0x80000000U

#define UTIME_NOW  0x3fffffffL
#define UTIME_OMIT 0x3ffffffeL
