/*
 * uio.c - moving bytes along a list of pieces of memory.
 *
 * One loop serves both directions.  A piece of length zero may stand anywhere (musl's
 * stdio sends such vectors) and is stepped over without looking at its base.
 */
#include "kernel/arch/uio.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

static void
uio_init(struct uio *u, struct iovec *iov, uint64_t base, size_t len)
{
    *iov = (struct iovec){.base = base, .len = len};
    *u = (struct uio){.iov = iov, .count = 1, .left = len};
}

void
uio_init_user(struct uio *u, struct iovec *iov, vaddr_t base, size_t len)
{
    uio_init(u, iov, base, len);
}

void
uio_init_kernel(struct uio *u, struct iovec *iov, void *base, size_t len)
{
    uio_init(u, iov, (uint64_t)base, len);
    u->kernel = true;
}

/* Where the uio stands; *room becomes what is left of that piece, more than 0. */
static uint64_t
current_piece(struct uio *u, size_t *room)
{
    while (u->done_in_piece == u->iov->len) {
        ASSERT(u->count > 1);
        u->iov++;
        u->count--;
        u->done_in_piece = 0;
    }
    *room = u->iov->len - u->done_in_piece;
    return u->iov->base + u->done_in_piece;
}

/* Moves @n bytes between @buf and @addr; returns how many it were. */
static size_t
move(const struct uio *u, uint64_t addr, void *buf, size_t n, bool put)
{
    if (u->kernel && put)
        memcpy((void *)addr, buf, n);
    else if (u->kernel)
        memcpy(buf, (const void *)addr, n);
    else if (put)
        return copy_to_user_partial(addr, buf, n);
    else
        return copy_from_user_partial(buf, addr, n);
    return n;
}

static int
uio_move(struct uio *u, void *buf, size_t n, bool put)
{
    ASSERT(n <= u->left);

    while (n > 0) {
        size_t room;
        uint64_t addr = current_piece(u, &room);
        size_t want = MIN(room, n);
        size_t moved = move(u, addr, buf, want, put);

        u->done_in_piece += moved;
        u->left -= moved;
        if (moved < want)
            return -EFAULT;
        buf = (char *)buf + moved;
        n -= moved;
    }
    return 0;
}

int
uio_put(struct uio *u, const void *src, size_t n)
{
    return uio_move(u, (void *)src, n, true);
}

int
uio_take(struct uio *u, void *dst, size_t n)
{
    return uio_move(u, dst, n, false);
}
