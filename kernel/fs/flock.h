/*
 * flock.h - advisory locks on whole files (flock), and POSIX record locks (fcntl F_SETLK).
 *
 * flock locks belong to an open file, record locks to a table of descriptors, which stands for
 * the process.  One list for the whole system and one lock over it: locks are few.
 */
#pragma once

#include "kernel/fs/file.h"

/*
 * flock_set - LOCK_SH, LOCK_EX or LOCK_UN for open file @f.
 * @wait: sleep, interruptibly, until it can be had.
 * Returns: 0, -EAGAIN, -ERESTARTSYS.
 */
int flock_set(struct file *f, unsigned type, bool wait) MUST_CHECK;

/* The file is being closed. */
void flock_release(struct file *f);

/* F_SETLK, F_SETLKW: lock or unlock @range. 0, -EINVAL, -EAGAIN, -ENOMEM, -ERESTARTSYS. */
int record_lock(struct file *f, struct files *owner, pid_t pid, const struct flock *range,
                bool wait) MUST_CHECK;
/* F_GETLK: @range becomes the lock that is in the way, or type F_UNLCK. 0 or -EINVAL. */
int record_test(struct file *f, struct files *owner, struct flock *range) MUST_CHECK;
/* A process closed a descriptor of @i: all its record locks on it are gone (POSIX fcntl). */
void record_release(struct inode *i, struct files *owner);
