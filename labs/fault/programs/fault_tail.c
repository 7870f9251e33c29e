/*
 * fault_tail.c - what lies behind the end of a file in its last page is zeros.
 *
 * On the disk it is not: a shared mapping has stored there.
 *
 * Checkpoints: 1 the file is mapped again, and not in memory; 2 its pages were read.
 */
#include "labs/lab.h"

#define COUNT 3

static const char name[] = "/lab/tail";

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    size_t size = (COUNT - 1) * PAGE + 100 + seed % 800;
    char *p = pages(COUNT);

    fill(p, COUNT, seed);
    make_file(name, p, size);
    int fd = (int)MUST(open(name, O_RDWR));
    char *shared = mmap(NULL, COUNT * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(shared == MAP_FAILED ? -1 : 0);
    memset(shared + size, byte_of(seed + 1, 0), COUNT * PAGE - size);
    MUST(msync(shared, COUNT * PAGE, MS_SYNC));
    MUST(munmap(shared, COUNT * PAGE));
    MUST(fsync(fd));
    MUST(-posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));

    p = mmap(NULL, COUNT * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    MUST(p == MAP_FAILED ? -1 : 0);
    checkpoint(1, p, COUNT, (long)size);
    touch(p, COUNT);
    checkpoint(2, p, COUNT, (long)size);
    return finish();
}
