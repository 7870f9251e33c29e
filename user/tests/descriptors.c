/*
 * descriptors.c - dup, dup2, fcntl: the lowest free number, shared offsets, flags that
 * are the descriptor's and flags that are the file's; and RLIMIT_NOFILE.
 */
/* also: tmpfs */
#include "test.h"

static void
limit(void *arg)
{
    struct rlimit r;
    int last = -1, fd;

    (void)arg;
    MUST(getrlimit(RLIMIT_NOFILE, &r));
    r.rlim_cur = 20;
    MUST(setrlimit(RLIMIT_NOFILE, &r));
    while ((fd = open("f", O_RDONLY)) != -1)
        last = fd;
    show("open at the limit", -1);
    show("the last one", last);
    show("dup at the limit", dup(0));
    show("pipe at the limit", pipe((int[2]){0, 0}));
    show("dup2 beyond the limit", dup2(0, 20));
    show("F_DUPFD beyond the limit", fcntl(0, F_DUPFD, 20));
    close(7);
    show("the free one is used", open("f", O_RDONLY));
    close(7);
    show("pipe needs two", pipe((int[2]){0, 0}));
    show("the first was given back", open("f", O_RDONLY));
    r.rlim_cur = r.rlim_max + 1;
    if (r.rlim_max != RLIM_INFINITY)
        show("more than the maximum", setrlimit(RLIMIT_NOFILE, &r));
}

int
main(void)
{
    char buf[8] = "";

    for (int fd = 3; fd < 64; fd++)
        close(fd);
    make_file("f", "abcdefgh", 8);
    int a = (int)MUST(open("f", O_RDWR));
    show("the lowest number", a);
    show("dup", dup(a));
    show("dup2", dup2(a, 10));
    show("dup2 onto itself", dup2(a, a));
    show("dup2 of a closed one", dup2(50, 10));
    show("which changed nothing", fcntl(10, F_GETFD));
    show("dup2 to -1", dup2(a, -1));
    show("dup of a closed one", dup(50));
    show("close twice", close(4) + close(4));
    MUST(read(a, buf, 3));
    show("offset is shared", lseek(10, 0, SEEK_CUR));
    MUST(fcntl(10, F_SETFD, FD_CLOEXEC));
    show("FD_CLOEXEC is not", fcntl(a, F_GETFD));
    MUST(fcntl(10, F_SETFL, O_APPEND));
    show("O_APPEND is", fcntl(a, F_GETFL) & O_APPEND ? 1 : 0);
    show("F_DUPFD from 8", fcntl(a, F_DUPFD, 8));
    show("F_DUPFD_CLOEXEC from 8", fcntl(a, F_DUPFD_CLOEXEC, 8));
    show("has the flag", fcntl(9, F_GETFD));
    show("F_DUPFD from -1", fcntl(a, F_DUPFD, -1));
    show("unknown command", fcntl(a, 9999, 0));
    show("fcntl of a closed one", fcntl(50, F_GETFD));
    int b = (int)MUST(open("f", O_RDONLY));
    show("a second open has its own offset", lseek(b, 0, SEEK_CUR));
    show_status("limit", in_child(limit, NULL));
    return finish();
}
