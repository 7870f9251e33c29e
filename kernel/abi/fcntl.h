/*
 * fcntl.h - flags of open(), fcntl() and the *at() calls, as Linux x86-64 has them
 * (asm-generic/fcntl.h, linux/fcntl.h, linux/fs.h).
 */
#pragma once

#include "kernel/lib/types.h"

#define O_ACCMODE   00000003U
#define O_RDONLY    00000000U
#define O_WRONLY    00000001U
#define O_RDWR      00000002U
#define O_CREAT     00000100U
#define O_EXCL      00000200U
#define O_NOCTTY    00000400U
#define O_TRUNC     00001000U
#define O_APPEND    00002000U
#define O_NONBLOCK  00004000U
#define O_DSYNC     00010000U
#define O_ASYNC     00020000U
#define O_DIRECT    00040000U
#define O_LARGEFILE 00100000U
#define O_DIRECTORY 00200000U
#define O_NOFOLLOW  00400000U
#define O_NOATIME   01000000U
#define O_CLOEXEC   02000000U
#define O_SYNC      04010000U
#define O_PATH      010000000U
#define O_TMPFILE   020200000U

#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100U
#define AT_EACCESS          0x200U
#define AT_REMOVEDIR        0x200U
#define AT_SYMLINK_FOLLOW   0x400U
#define AT_NO_AUTOMOUNT     0x800U
#define AT_EMPTY_PATH       0x1000U
#define AT_STATX_SYNC_TYPE  0x6000U

#define F_DUPFD         0
#define F_GETFD         1
#define F_SETFD         2
#define F_GETFL         3
#define F_SETFL         4
#define F_GETLK         5
#define F_SETLK         6
#define F_SETLKW        7
#define F_SETOWN        8
#define F_GETOWN        9
#define F_SETPIPE_SZ    1031
#define F_GETPIPE_SZ    1032
#define F_DUPFD_CLOEXEC 1030

#define FD_CLOEXEC 1

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2

struct flock {
    int16_t l_type;
    int16_t l_whence;
    int32_t pad1;
    int64_t l_start;
    int64_t l_len;
    int32_t l_pid;
    int32_t pad2;
};

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

#define SEEK_SET  0
#define SEEK_CUR  1
#define SEEK_END  2
#define SEEK_DATA 3
#define SEEK_HOLE 4

#define R_OK 4
#define W_OK 2
#define X_OK 1

#define RENAME_NOREPLACE 1U

#define FALLOC_FL_KEEP_SIZE 1

#define CLOSE_RANGE_UNSHARE 2U
#define CLOSE_RANGE_CLOEXEC 4U

#define POSIX_FADV_DONTNEED 4

#define MFD_CLOEXEC       1U
#define MFD_ALLOW_SEALING 2U

#define FIOCLEX    0x5451
#define FIONCLEX   0x5450
#define FIONBIO    0x5421
#define FIONREAD   0x541B
#define BLKROGET   0x125e
#define BLKGETSIZE 0x1260
#define BLKFLSBUF  0x1261
#define BLKSSZGET  0x1268

#define BLKGETSIZE64 0x80081272

#define NAME_MAX 255
#define PATH_MAX 4096
#define IOV_MAX  1024
