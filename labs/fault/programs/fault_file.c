/*
 * fault_file.c - a page of a file is in memory once, whoever maps it, until a private store.
 *
 * Checkpoints: 1 the file is mapped privately, from page SKIP on, and shared; nothing was touched
 * and nothing is in memory; 2 all of the private mapping was read; 3 all of the shared one, too;
 * 4 the chosen private pages were stored to; 5 the shared ones were read again; 6 page 0 differs
 * from the disk, by a shared store, and was read through another private mapping.
 */
#include "labs/lab.h"

#define FILE_PAGES 48
#define SKIP       5
#define COUNT      40

static const char name[] = "/lab/pages";

static void *
map(int fd, uint32_t count, int flags, uint32_t skip)
{
    void *p = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, flags, fd, (off_t)(skip * PAGE));

    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

/* The file's bytes are on the disk, and no longer in memory. */
static int
make_pages(uint32_t seed)
{
    char *p = pages(FILE_PAGES);

    fill(p, FILE_PAGES, seed);
    make_file(name, p, FILE_PAGES * PAGE);
    int fd = (int)MUST(open(name, O_RDWR));
    MUST(fsync(fd));
    MUST(-posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    return fd;
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    int fd = make_pages(seed);
    char *own = map(fd, COUNT, MAP_PRIVATE, SKIP);
    char *shared = map(fd, FILE_PAGES, MAP_SHARED, 0);
    static char page[PAGE];
    int good = 1;

    checkpoint(1, own, (long)shared, SKIP);
    touch(own, COUNT);
    checkpoint(2, own, COUNT, 0);
    touch(shared, FILE_PAGES);
    checkpoint(3, shared, FILE_PAGES, 0);
    for (uint32_t k = 0; k < COUNT; k++)
        if (chosen(seed, k))
            memset(own + k * PAGE, byte_of(seed + 1, k), PAGE);
    checkpoint(4, own, COUNT, 0);
    touch(shared, FILE_PAGES);
    checkpoint(5, shared, FILE_PAGES, 0);

    char *late = map(fd, 1, MAP_PRIVATE, 0);
    fill(shared, 1, seed);
    touch(late, 1);
    checkpoint(6, late, 1, 0);
    late[0] ^= 1;
    for (uint32_t k = 0; k < FILE_PAGES; k++) {
        MUST(pread(fd, page, PAGE, (off_t)(k * PAGE)));
        good &= all_bytes(page, PAGE, byte_of(seed, k));
    }
    CHECK("the file is what it was", good);
    return finish();
}
