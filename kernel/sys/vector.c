/*
 * vector.c - the vectors of readv and its relatives.
 */
#include "kernel/sys/vector.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/fcntl.h"
#include "kernel/arch/uaccess.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"

#define IOV_KMALLOC (PAGE_SIZE / sizeof(struct iovec))

void
vector_free(struct vector *v)
{
    if (v->pages > 0)
        kvmap_free(v->iov, v->pages);
    else if (v->iov != v->small)
        kfree(v->iov);
}

static int
vector_alloc(struct vector *v, size_t count)
{
    v->iov = v->small;
    v->pages = 0;
    if (count > IOV_KMALLOC) {
        v->pages = (unsigned)((count + IOV_KMALLOC - 1) / IOV_KMALLOC);
        v->iov = kvmap_alloc(v->pages);
    } else if (count > IOV_INLINE) {
        v->iov = kmalloc(count * sizeof(struct iovec));
    }
    return v->iov != NULL ? 0 : -ENOMEM;
}

/* Judges the pieces and makes the uio; what is beyond RW_MAX is cut off. */
static int
vector_judge(struct vector *v, size_t count, struct uio *u)
{
    uint64_t total = 0;

    for (size_t k = 0; k < count; k++) {
        struct iovec *p = &v->iov[k];
        if (p->len > (uint64_t)INT64_MAX)
            return -EINVAL;
        if (!range_ok(p->base, p->len))
            return -EFAULT;
        p->len = MIN(p->len, RW_MAX - total);
        total += p->len;
    }
    *u = (struct uio){.iov = v->iov, .count = (unsigned)count, .left = total};
    return 0;
}

int
vector_read(struct vector *v, vaddr_t uvec, uint64_t count, struct uio *u)
{
    int err = count > IOV_MAX ? -EINVAL : vector_alloc(v, count);

    if (err != 0)
        return err;
    err = copy_from_user(v->iov, uvec, count * sizeof(struct iovec));
    if (err == 0)
        err = vector_judge(v, count, u);
    if (err != 0)
        vector_free(v);
    return err;
}
