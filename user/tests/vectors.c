/*
 * vectors.c - readv and writev with empty, NULL and many vectors, in the order given.
 */
/* also: tmpfs */
#include "test.h"

#include <sys/uio.h>

int
main(void)
{
    char a[8] = "", b[8] = "", c[32] = "";
    struct iovec v[3] = {{"one", 3}, {NULL, 0}, {"two", 3}}, many[1025];
    int fd = (int)MUST(open("f", O_CREAT | O_RDWR, 0600)), p[2];

    MUST(pipe(p));
    show("writev with an empty one", writev(fd, v, 3));
    MUST(pread(fd, c, sizeof(c), 0));
    say("%s\n", c);
    MUST(lseek(fd, 0, SEEK_SET));
    struct iovec r[3] = {{a, 2}, {b, 1}, {c, 30}};
    memset(c, 0, sizeof(c));
    show("readv", readv(fd, r, 3));
    say("%s %s %s\n", a, b, c);
    show("no vectors", writev(fd, v, 0));
    show("a negative count", writev(fd, v, -1));
    for (int i = 0; i < 1025; i++)
        many[i] = (struct iovec){"x", 1};
    show("1024 vectors", writev(fd, many, 1024));
    show("1025 vectors", writev(fd, many, 1025));
    many[0].iov_len = many[1].iov_len = 1UL << 62;
    show("too much together", writev(fd, many, 4));
    show("writev to a pipe", writev(p[1], v, 3));
    show("readv from it", readv(p[0], r, 3));
    show("only empty ones", writev(p[1], (struct iovec[2]){{NULL, 0}, {a, 0}}, 2));
    show("to a reader", writev(p[0], v, 3));
    show("closed", writev(99, v, 3));
    return finish();
}
