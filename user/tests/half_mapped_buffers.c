/*
 * half_mapped_buffers.c - a buffer whose end is missing: the part that is there counts.
 *
 * Linux transfers what fits and reports it, except where it must not: a pipe takes the
 * bytes before the hole, and a path or a structure is all or nothing.
 */
#include "test.h"

#include <sys/uio.h>

int
main(void)
{
    char *m = pages(2);
    int p[2];
    static char text[200];
    struct iovec iov[3];

    memset(text, 't', sizeof(text));
    MUST(munmap(m + PAGE, PAGE));
    char *edge = m + PAGE - 10; /* ten good bytes */
    make_file("f", text, sizeof(text));
    int fd = (int)MUST(open("f", O_RDWR));
    MUST(pipe(p));

    memset(edge, 'e', 10);
    show("fstat over the edge", syscall(SYS_fstat, fd, edge));
    show("stat of a path over the edge", open(edge, O_RDONLY));
    memcpy(edge + 8, "f", 2);
    show_ok("a path that ends right at it", open(edge + 8, O_RDONLY));
    show("pipe over the edge", pipe((int *)(m + PAGE - 4)));
    show("a good write first", write(p[1], text, 5));
    show("read of them into exactly what is there", read(p[0], m + PAGE - 5, 5));
    iov[0] = (struct iovec){text, 4};
    iov[1] = (struct iovec){NULL, 0};
    iov[2] = (struct iovec){m + PAGE, 0};
    show("writev with empty bad vectors", writev(p[1], iov, 3));
    show("and back", readv(p[0], iov, 3));
    iov[2] = (struct iovec){m, -1UL};
    show("writev with a negative length", writev(p[1], iov, 3));
    iov[1] = (struct iovec){(void *)0xffff800000000000, 1};
    show("writev with a kernel vector", writev(p[1], &iov[1], 1));
    show("read of 0 bytes to a bad address", read(fd, (void *)-4096L, 0));
    show("write of 0 bytes from one", write(fd, (void *)-4096L, 0));
    return finish();
}
