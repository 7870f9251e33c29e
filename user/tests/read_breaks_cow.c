/*
 * read_breaks_cow.c - a system call that writes into a shared page breaks the sharing
 * as a store does.
 *
 * read() from a file and from a pipe, readv(), fstat(), getcwd(): the other process
 * must keep its bytes.
 */
/* also: tmpfs */
#include "test.h"

#include <sys/uio.h>

static char *map;

static void
kernel_writes(void *arg)
{
    int fd = (int)MUST(open("f", O_RDONLY)), p[2];
    struct iovec iov[2] = {{map + 2 * PAGE - 5, 10}, {map + 3 * PAGE, 5}};

    (void)arg;
    MUST(pipe(p));
    MUST(write(p[1], "through a pipe", 15));
    show("read a file into it", read(fd, map, 10));
    show("read a pipe into it", read(p[0], map + PAGE, 100));
    MUST(lseek(fd, 0, SEEK_SET));
    show("readv over a page boundary", readv(fd, iov, 2));
    show("fstat into it", syscall(SYS_fstat, fd, map + 4 * PAGE));
    CHECK("the child has them", memcmp(map, "0123456789", 10) == 0);
    CHECK("from the pipe too", strcmp(map + PAGE, "through a pipe") == 0);
    CHECK("and over the boundary", memcmp(map + 2 * PAGE - 5, "0123456789", 10) == 0);
}

int
main(void)
{
    map = pages(8);
    memset(map, 'o', 8 * PAGE);
    make_file("f", "0123456789ABCDEFGHIJ", 20);
    show_status("child", in_child(kernel_writes, NULL));
    CHECK("the parent's pages are as before", all_bytes(map, 8 * PAGE, 'o'));

    char *zero = pages(2); /* read first: the shared page of zeros may be mapped */
    CHECK("untouched pages are zero", all_bytes(zero, 2 * PAGE, 0));
    int fd = (int)MUST(open("f", O_RDONLY));
    show("read over a page of zeros", read(fd, zero, 4));
    CHECK("changes that page", memcmp(zero, "0123", 4) == 0);
    CHECK("and no other", all_bytes(zero + PAGE, PAGE, 0) && all_bytes(pages(1), PAGE, 0));
    return finish();
}
