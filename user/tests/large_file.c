/*
 * large_file.c - 20 MiB through direct, indirect and double indirect blocks come back as
 * they were written.
 *
 * Written in odd pieces, read in others, a checksum of each; then from a mapping.
 */
/* needs: 64M */
#include "test.h"

#define SIZE (20L << 20)

static uint32_t
mix(uint32_t sum, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * 16777619;
    return sum;
}

int
main(void)
{
    static unsigned char buf[70000];
    uint32_t seed = 1, written = 2166136261, got = 2166136261;
    int fd = (int)MUST(open("f", O_CREAT | O_RDWR, 0600));
    long done = 0;
    ssize_t n;

    while (done < SIZE) {
        size_t piece = 10000 + seed % 60000;
        if ((long)piece > SIZE - done)
            piece = (size_t)(SIZE - done);
        for (size_t i = 0; i < piece; i++)
            buf[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
        written = mix(written, buf, piece);
        done += MUST(write(fd, buf, piece));
    }
    show("written", done);
    MUST(fdatasync(fd));
    MUST(lseek(fd, 0, SEEK_SET));
    for (done = 0; (n = MUST(read(fd, buf, 33333))) > 0; done += n)
        got = mix(got, buf, (size_t)n);
    show("read", done);
    say("%08x %08x\n", written, got);
    unsigned char *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    MUST(map == MAP_FAILED ? -1 : 0);
    say("%08x mapped\n", mix(2166136261, map, SIZE));
    close(fd);
    MUST(munmap(map, SIZE));
    show("unlink", unlink("f"));
    return finish();
}
