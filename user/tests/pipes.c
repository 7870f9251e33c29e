/*
 * pipes.c - ends, emptiness and fullness of a pipe.
 *
 * End of file when the last writer is gone, EAGAIN when asked not to wait, 64 KiB of room,
 * and which way round it works.
 */
#include "test.h"

#include <sys/ioctl.h>

static void
room(void)
{
    static char block[PAGE];
    int p[2];
    long total = 0;
    ssize_t n;

    MUST(pipe2(p, O_NONBLOCK));
    show("read from an empty one", read(p[0], block, 1));
    while ((n = write(p[1], block, sizeof(block))) > 0)
        total += n;
    show("write to a full one", n);
    show("room", total);
    show("one byte more", write(p[1], block, 1));
    MUST(read(p[0], block, PAGE));
    show("after a page was read", write(p[1], block, PAGE));
    int waiting = 0;
    show("FIONREAD", ioctl(p[0], FIONREAD, &waiting));
    show("waiting", waiting);
    show("flags", fcntl(p[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
}

int
main(void)
{
    char buf[100] = "";
    int p[2];
    struct stat st;

    MUST(pipe(p));
    show("write", write(p[1], "hello", 5));
    show("read less", read(p[0], buf, 2));
    show("read more", read(p[0], buf, 100));
    show("read the wrong end", read(p[1], buf, 1));
    show("write the wrong end", write(p[0], buf, 1));
    MUST(fstat(p[0], &st));
    CHECK("it is a FIFO", S_ISFIFO(st.st_mode));
    int copy = (int)MUST(dup(p[1]));
    MUST(write(p[1], "x", 1));
    close(p[1]);
    show("one writer left", write(copy, "y", 1));
    close(copy);
    show("what was written is there", read(p[0], buf, 100));
    show("then the end", read(p[0], buf, 100));
    show("again", read(p[0], buf, 100));
    show("bad flags", pipe2(p, 0x7));
    show("pipe2", pipe2(p, O_CLOEXEC));
    show("O_CLOEXEC", fcntl(p[0], F_GETFD));
    room();
    return finish();
}
