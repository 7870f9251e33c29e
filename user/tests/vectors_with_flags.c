/*
 * vectors_with_flags.c - preadv2 and pwritev2: a position of -1 is the file's own, and flags.
 */
/* also: tmpfs */
#include "test.h"

#include <sys/uio.h>

#define HIPRI 1
#define DSYNC 2
#define SYNC  4

static long
move(int nr, int fd, char *a, char *b, long pos, int flags)
{
    struct iovec v[2] = {{a, 2}, {b, 3}};

    return syscall(nr, fd, v, 2, pos, 0, flags);
}

int
main(void)
{
    int fd = (int)MUST(open("f", O_CREAT | O_RDWR, 0600)), p[2];
    char a[4] = "", b[4] = "", x[] = "xy", y[] = "123";

    show("write at 4", move(SYS_pwritev2, fd, x, y, 4, 0));
    show("offset", lseek(fd, 0, SEEK_CUR));
    show("write at the offset", move(SYS_pwritev2, fd, y, x, -1, DSYNC));
    show("offset", lseek(fd, 0, SEEK_CUR));
    show("write and sync", move(SYS_pwritev2, fd, x, y, 4, SYNC | HIPRI));
    show("read at 4", move(SYS_preadv2, fd, a, b, 4, 0));
    say("%s %s\n", a, b);
    show("read at the offset", move(SYS_preadv2, fd, a, b, -1, HIPRI));
    show("offset", lseek(fd, 0, SEEK_CUR));
    show("read at the end", move(SYS_preadv2, fd, a, b, -1, 0));
    show("position -2", move(SYS_preadv2, fd, a, b, -2, 0));
    show("unknown flags", move(SYS_preadv2, fd, a, b, 0, 0x4000));
    MUST(pipe(p));
    show("a pipe has no places", move(SYS_pwritev2, p[1], x, y, 0, 0));
    show("but can be written", move(SYS_pwritev2, p[1], x, y, -1, 0));
    show("and read", move(SYS_preadv2, p[0], a, b, -1, 0));
    show("the wrong end", move(SYS_preadv2, p[1], a, b, -1, 0));
    show("no descriptor", move(SYS_preadv2, 77, a, b, -1, 0));
    return finish();
}
