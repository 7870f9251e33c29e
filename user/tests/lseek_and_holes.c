/*
 * lseek_and_holes.c - offsets before the start are refused, behind the end are fine; what
 * was never written reads as zeros and costs no blocks.
 */
/* also: tmpfs */
#include "test.h"

int
main(void)
{
    int fd = (int)MUST(open("f", O_CREAT | O_RDWR, 0600)), p[2];
    struct stat st;
    static char buf[3 * PAGE];

    show("set", lseek(fd, 10, SEEK_SET));
    show("current", lseek(fd, 5, SEEK_CUR));
    show("back", lseek(fd, -15, SEEK_CUR));
    show("before the start", lseek(fd, -1, SEEK_SET));
    show("stays", lseek(fd, 0, SEEK_CUR));
    show("bad whence", lseek(fd, 0, 99));
    MUST(pipe(p));
    show("a pipe", lseek(p[0], 0, SEEK_CUR));
    show("closed", lseek(99, 0, SEEK_CUR));
    show("2 MiB behind the end", lseek(fd, 2 << 20, SEEK_END));
    show("write", write(fd, "end", 3));
    MUST(fstat(fd, &st));
    show("size", st.st_size);
    CHECK("few blocks", st.st_blocks < 200);
    show("read in the hole", pread(fd, buf, sizeof(buf), 100000));
    CHECK("zeros", all_bytes(buf, sizeof(buf), 0));
    show("write inside the hole", pwrite(fd, "mid", 3, 1000000));
    show("read around it", pread(fd, buf, 100, 999990));
    CHECK("zeros around it", all_bytes(buf, 10, 0) && memcmp(buf + 10, "mid", 3) == 0 &&
                                 all_bytes(buf + 13, 87, 0));
    show("read over the end", pread(fd, buf, 100, (2 << 20) + 1));
    show("read at the end", pread(fd, buf, 100, (2 << 20) + 3));
    show("read far behind it", pread(fd, buf, 100, 1L << 40));
    show("negative pread", pread(fd, buf, 100, -1));
    show("negative pwrite", pwrite(fd, buf, 1, -1));
    show("the offset did not move", lseek(fd, 0, SEEK_CUR));
    return finish();
}
