/*
 * fault_efault.c - a system call with a bad pointer fails, and nothing else happens.
 *
 * Checkpoints: 1 before the calls; 2 after those with good pointers to pages that were not touched;
 * 3 after those with bad ones; with a table of what they returned, -errno if they failed.
 */
#include "labs/lab.h"

static long results[8] __attribute__((aligned(64)));
static int used;

static void
note(long result)
{
    results[used++] = result == -1 ? -errno : result;
}

static char *
map_file(const char *name, int prot, size_t size)
{
    char *p = mmap(NULL, size, prot, MAP_PRIVATE, (int)MUST(open(name, O_RDONLY)), 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(4), *gone = pages(1), *none = pages(1);
    int fd[2];

    fill(p, 1, seed);
    make_file("/lab/page", p, PAGE);
    char *file = map_file("/lab/page", PROT_READ, 2 * PAGE);
    MUST(mprotect(none, PAGE, PROT_NONE));
    MUST(munmap(gone, PAGE));
    MUST(pipe(fd));

    checkpoint(1, results, (long)(p + PAGE), (long)file);
    note(write(fd[1], p + PAGE, 64)); /* zeros */
    note(read(fd[0], p + 2 * PAGE, 64));
    checkpoint(2, results, (long)(p + PAGE), (long)file);
    MUST(write(fd[1], p, 64));
    note(write(fd[1], gone, 8));
    note(write(fd[1], none, 8));
    note(read(fd[0], file, 8));
    note(read(fd[0], launder((char *)0xffff800000000000), 8));
    note(write(fd[1], file + PAGE, 8));
    note(open(gone, O_RDONLY));
    checkpoint(3, results, (long)(p + PAGE), (long)file);
    return finish();
}
