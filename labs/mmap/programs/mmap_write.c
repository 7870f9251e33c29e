/*
 * mmap_write.c - what was stored through a shared mapping comes to the disk, and that alone.
 *
 * Checkpoints, each with the mapping, which begins at page SKIP of the file: 1 all is clean
 * and on the disk; 2 the chosen pages were stored to, those of the run, and the two beside
 * the range; 3 msync of the pages [FROM, TO) alone; 4 the run was stored to again, and all of
 * it synced; 5 all pages were stored to, unmapped, and written by fsync; 6 after a store into
 * a hole of another file, and a private one into the first: the blocks that the other file
 * gained by it.
 */
#include "labs/lab.h"

#define FILE_PAGES 40
#define SKIP       4
#define COUNT      (FILE_PAGES - SKIP)
#define FROM       6
#define TO         30
#define RUN        10 /* the first of six pages */
#define RUN_END    16

static uint32_t seed;

/* What page @k of the file is, the @round-th time: no two pages on the disk are alike. */
static void
write_page(char *page, uint32_t k, uint32_t round)
{
    memset(page, byte_of(seed + round, k), PAGE);
    memcpy(page, &(uint32_t[]){seed, k, round}, 12);
}

static char *
map(const char *name, int flags)
{
    int fd = (int)MUST(open(name, O_RDWR));
    void *p = mmap(NULL, COUNT * PAGE, PROT_READ | PROT_WRITE, flags, fd, SKIP * PAGE);

    MUST(p == MAP_FAILED ? -1 : 0);
    close(fd);
    return p;
}

static void
store(char *p, uint32_t from, uint32_t to, uint32_t round)
{
    for (uint32_t k = from; k < to; k++)
        write_page(p + k * PAGE, SKIP + k, round);
}

static int
make_pages(const char *name)
{
    static char page[PAGE];
    int fd = (int)MUST(open(name, O_CREAT | O_RDWR, 0644));

    for (uint32_t k = 0; k < FILE_PAGES; k++) {
        write_page(page, k, 0);
        MUST(pwrite(fd, page, PAGE, (off_t)(k * PAGE)) == (ssize_t)PAGE ? 0 : -1);
    }
    MUST(fsync(fd));
    return fd;
}

static long
blocks(int fd)
{
    struct stat st;

    MUST(fstat(fd, &st));
    return st.st_blocks;
}

/* A page that the disk has no place for yet, and a private page. */
static void
others(void)
{
    int fd = (int)MUST(open("/lab/hole", O_CREAT | O_RDWR, 0644));

    MUST(ftruncate(fd, FILE_PAGES * PAGE));
    char *hole = map("/lab/hole", MAP_SHARED), *own = map("/lab/write", MAP_PRIVATE);
    long before = blocks(fd);
    store(hole, FROM, FROM + 1, 4);
    long gained = blocks(fd) - before;
    MUST(msync(hole, COUNT * PAGE, MS_SYNC));
    store(own, 0, COUNT, 5);
    MUST(msync(own, COUNT * PAGE, MS_SYNC));
    checkpoint(6, hole, gained, (long)own);
}

int
main(int argc, char **argv)
{
    seed = seed_of(argc, argv);
    int fd = make_pages("/lab/write");
    char *p = map("/lab/write", MAP_SHARED);

    touch(p, COUNT);
    checkpoint(1, p, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k++)
        if (chosen(seed, k) || (k >= RUN && k < RUN_END) || k == FROM - 1 || k == TO)
            store(p, k, k + 1, 1);
    checkpoint(2, p, COUNT, 0);
    MUST(msync(p + FROM * PAGE, (TO - FROM) * PAGE, MS_SYNC));
    checkpoint(3, p, COUNT, 0);
    store(p, RUN, RUN_END, 2);
    MUST(msync(p, COUNT * PAGE, MS_SYNC));
    checkpoint(4, p, COUNT, 0);
    store(p, 0, COUNT, 3);
    MUST(munmap(p, COUNT * PAGE));
    MUST(fsync(fd));
    checkpoint(5, p, COUNT, 0);
    others();
    return finish();
}
