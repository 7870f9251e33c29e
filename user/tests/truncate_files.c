/*
 * truncate_files.c - ftruncate shrinks and grows, frees blocks, and leaves zeros.
 */
/* also: tmpfs */
#include "test.h"

int
main(void)
{
    static char buf[300000], got[300000];
    int fd = (int)MUST(open("f", O_CREAT | O_RDWR, 0600)), p[2];
    struct stat before, after;

    memset(buf, 't', sizeof(buf));
    MUST(write(fd, buf, sizeof(buf)));
    MUST(fstat(fd, &before));
    show("shrink", ftruncate(fd, 5000));
    MUST(fstat(fd, &after));
    show("size", after.st_size);
    CHECK("blocks are given back", after.st_blocks < before.st_blocks);
    show("grow", ftruncate(fd, 200000));
    show("read", pread(fd, got, sizeof(got), 0));
    CHECK("old bytes", all_bytes(got, 5000, 't'));
    CHECK("zeros behind them", all_bytes(got + 5000, 195000, 0));
    show("the offset did not move", lseek(fd, 0, SEEK_CUR));
    show("write there", write(fd, "x", 1));
    MUST(fstat(fd, &after));
    show("size", after.st_size);
    show("to nothing", ftruncate(fd, 0));
    MUST(fstat(fd, &after));
    show("size", after.st_size);
    show("negative", ftruncate(fd, -1));
    MUST(pipe(p));
    show("a pipe", ftruncate(p[1], 0));
    show("closed", ftruncate(99, 0));
    show("a directory", ftruncate((int)MUST(open(".", O_RDONLY)), 0));
    return finish();
}
