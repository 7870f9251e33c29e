/*
 * vector.h - a program's array of struct iovec, copied once and judged as a whole.
 */
#pragma once

#include "kernel/arch/uio.h"

#define RW_MAX     0x7ffff000UL /* Linux moves no more in one call */
#define IOV_INLINE 8

struct vector {
    struct iovec *iov;
    struct iovec small[IOV_INLINE];
    unsigned pages; /* of kvmap_alloc, when it is that long */
};

/*
 * vector_read - copy the @count pieces at @uvec; what is beyond RW_MAX bytes is cut off.
 *
 * @u: receives a uio over them.
 * Locks:   none.  May sleep.
 * Returns: 0 (then vector_free is the caller's), or -EINVAL, -EFAULT, -ENOMEM.
 */
int vector_read(struct vector *v, vaddr_t uvec, uint64_t count, struct uio *u) MUST_CHECK;
void vector_free(struct vector *v);
