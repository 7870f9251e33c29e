/*
 * pipe.h - pipes and FIFOs: 64 KiB of bytes between writers and readers.
 *
 *   - A write of at most PIPE_BUF (4096) bytes goes in whole, or waits until it can (POSIX
 *     write()).
 *   - Pages are taken when bytes come and given back when they have been read, so an idle pipe
 *     holds one.
 *   - The lock of a pipe is held while user memory is copied: it is none of the VM's locks, and
 *     no fault ever needs a pipe.
 */
#pragma once

#include "kernel/fs/file.h"

#define PIPE_SIZE 65536U
#define PIPE_BUF  4096U

extern const struct file_ops fifo_file_ops;

/*
 * pipe_open_pair - a new pipe.
 * @flags: O_NONBLOCK, for both ends.
 * Returns: 0 with two referenced files, or -ENOMEM.
 */
int pipe_open_pair(unsigned flags, struct file **reader, struct file **writer) MUST_CHECK;

/* The capacity if @f is a pipe (F_GETPIPE_SZ), else -EBADF. */
int pipe_capacity(struct file *f);

/* Once, at boot. */
void pipe_init(void);
