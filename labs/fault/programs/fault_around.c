/*
 * fault_around.c - a read maps along what is in memory anyway, and nothing else.
 *
 * The region is longer than its file.  The child has the private pages of its parent, but none of
 * the parent's entries.
 *
 * Checkpoints: 1 the child before it has touched anything of the region; 2 when it has read page
 * b; 3 when it has read every page of the file.
 */
#include "labs/lab.h"

#define FILE_PAGES 72
#define COUNT      80

static const char name[] = "/lab/around";

/* The file's pages are in memory, and clean. */
static char *
map_file(uint32_t seed)
{
    char *p = pages(FILE_PAGES);

    fill(p, FILE_PAGES, seed);
    make_file(name, p, FILE_PAGES * PAGE);
    int fd = (int)MUST(open(name, O_RDWR));
    MUST(fsync(fd));
    p = mmap(NULL, COUNT * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

static void
child(char *p, uint32_t seed)
{
    uint32_t first = seed % FILE_PAGES;

    while (chosen(seed, first))
        first = (first + 1) % FILE_PAGES;
    touch(pages(2), 2); /* the code and the stack of what follows */
    checkpoint(1, p, COUNT, FILE_PAGES);
    touch(p + first * PAGE, 1);
    checkpoint(2, p, first, FILE_PAGES);
    touch(p, FILE_PAGES);
    checkpoint(3, p, COUNT, FILE_PAGES);
    _exit(0);
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = map_file(seed);

    for (uint32_t k = 0; k < FILE_PAGES; k++)
        if (chosen(seed, k))
            memset(p + k * PAGE, byte_of(seed + 1, k), PAGE);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        child(p, seed);
    show_status("the child", reap(pid));
    return finish();
}
