/*
 * file.h - the system calls on files: one handler for each, as syscall.h describes them.
 *
 * The contracts are those of the Linux manual pages of section 2;
 * docs/syscalls.md names the differences.
 */
#pragma once

#include "kernel/sys/syscall.h"

/* file_io.c */
syscall_fn sys_read, sys_write, sys_readv, sys_writev, sys_pread64, sys_pwrite64, sys_preadv,
    sys_pwritev, sys_preadv2, sys_pwritev2, sys_lseek, sys_sendfile;

/* file_fd.c */
syscall_fn sys_open, sys_openat, sys_creat, sys_close, sys_close_range, sys_dup, sys_dup2,
    sys_dup3, sys_pipe, sys_pipe2, sys_fcntl, sys_ioctl, sys_flock, sys_memfd_create;

/* file_stat.c */
syscall_fn sys_stat, sys_fstat, sys_lstat, sys_newfstatat, sys_statx, sys_access, sys_faccessat,
    sys_faccessat2, sys_statfs, sys_fstatfs;

/* file_attr.c */
syscall_fn sys_chmod, sys_fchmod, sys_fchmodat, sys_chown, sys_fchown, sys_lchown, sys_fchownat,
    sys_utime, sys_utimes, sys_futimesat, sys_utimensat;

/* file_name.c */
syscall_fn sys_chdir, sys_fchdir, sys_getcwd, sys_umask, sys_mkdir, sys_mkdirat, sys_mknod,
    sys_mknodat, sys_rmdir, sys_unlink, sys_unlinkat, sys_link, sys_linkat, sys_symlink,
    sys_symlinkat, sys_readlink, sys_readlinkat, sys_rename, sys_renameat, sys_renameat2,
    sys_getdents, sys_getdents64;

/* file_size.c */
syscall_fn sys_truncate, sys_ftruncate, sys_fallocate, sys_fsync, sys_fdatasync, sys_sync,
    sys_syncfs, sys_fadvise64;

/* file_poll.c */
syscall_fn sys_poll, sys_ppoll, sys_select, sys_pselect6;
