/*
 * uio.h - where the bytes of a read go to, or those of a write come from: a
 * list of pieces of user or of kernel memory, moved through once.
 */
#pragma once

#include "kernel/lib/types.h"

struct iovec {
    uint64_t base;
    uint64_t len;
};

struct uio {
    const struct iovec
        *iov;       /* kernel copy of the vector; each piece was judged by range_ok when user */
    unsigned count; /* pieces left, the one in use included */
    size_t done_in_piece;
    size_t left; /* bytes left in all */
    bool kernel; /* bases are kernel pointers, not user addresses */
};

/* A uio over one piece; @iov is storage for it. */
void uio_init_user(struct uio *u, struct iovec *iov, vaddr_t base, size_t len);
void uio_init_kernel(struct uio *u, struct iovec *iov, void *base, size_t len);

/*
 * uio_put - move @n bytes from @src to where the uio stands (a read).
 * uio_take - move @n bytes from where the uio stands to @dst (a write).
 * @n: at most u->left.
 * May sleep; no lock may be held.
 * Returns: 0, or -EFAULT; u->left then tells how far it came.
 */
int uio_put(struct uio *u, const void *src, size_t n) MUST_CHECK;
int uio_take(struct uio *u, void *dst, size_t n) MUST_CHECK;
