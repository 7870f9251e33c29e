/*
 * pgtbl.c - pages far apart, so that many tables are needed: mapped, unmapped, protected.
 *
 * The second argument says what is done; each function tells its checkpoints.  The addresses
 * of a quarter of the places differ in the index of the last level alone, those of another
 * quarter in the level's above, and so on: a table of each level has several entries.  Each
 * place is three pages, of which only the one in the middle is touched.
 */
#include "labs/lab.h"

#define COUNT  24
#define LEVELS 4

static char *where[COUNT];

/* Place @k of this run. */
static char *
place(uint32_t seed, uint32_t k)
{
    uint64_t va = 0;

    for (uint32_t level = 1; level <= LEVELS; level++) {
        uint64_t index = level == LEVELS ? 2 + byte_of(seed, level) % 64 : byte_of(seed, level);

        if (k % LEVELS + 1 == level)
            index += (k / LEVELS + 1) * 5;
        va |= index << (3 + 9 * level);
    }
    return (char *)va;
}

static void
map(char *page)
{
    void *p = mmap(page - PAGE, 3 * PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    MUST(p == MAP_FAILED ? -1 : 0);
}

static void
map_all(uint32_t seed)
{
    for (uint32_t k = 0; k < COUNT; k++) {
        where[k] = place(seed, k);
        map(where[k]);
        memset(where[k], byte_of(seed, k), PAGE);
    }
}

/* 1: nothing is there; 2: all places are; 3: those chosen are not; 4: none is; 5: all again. */
static void
come_and_go(uint32_t seed)
{
    checkpoint(1, where, COUNT, 0);
    map_all(seed);
    checkpoint(2, where, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k++)
        if (chosen(seed, k))
            MUST(munmap(where[k] - PAGE, 3 * PAGE));
    checkpoint(3, where, COUNT, 0);
    MUST(munmap((void *)(1UL << 39), 120UL << 39));
    checkpoint(4, where, COUNT, 0);
    map_all(seed + 1);
    checkpoint(5, where, COUNT, 0);
}

/* 1: all may be written; 2: those chosen not; 3: again, and were; 4: some may be executed. */
static void
protect(uint32_t seed)
{
    char *p = pages(COUNT);

    fill(p, COUNT, seed);
    checkpoint(1, p, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k++)
        if (chosen(seed, k))
            MUST(mprotect(p + k * PAGE, PAGE, PROT_READ));
    checkpoint(2, p, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k++) {
        if (!chosen(seed, k))
            continue;
        MUST(mprotect(p + k * PAGE, PAGE, PROT_READ | PROT_WRITE));
        memset(p + k * PAGE, byte_of(seed + 1, k), PAGE);
    }
    checkpoint(3, p, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k++)
        if (!chosen(seed, k))
            MUST(mprotect(p + k * PAGE, PAGE, PROT_READ | PROT_EXEC));
    checkpoint(4, p, COUNT, 0);
}

/* 1: before; 2 to 5: a child each, with all its places; 6: when they have ended. */
static void
children(uint32_t seed)
{
    checkpoint(1, where, COUNT, 0);
    for (uint32_t n = 2; n <= 5; n++) {
        pid_t child = (pid_t)MUST(fork());

        if (child == 0) {
            map_all(seed + n);
            checkpoint(n, where, COUNT, 0);
            _exit(0);
        }
        show_status("a child", reap(child));
    }
    checkpoint(6, where, COUNT, 0);
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    const char *what = argc > 2 ? argv[2] : "map";

    if (strcmp(what, "protect") == 0)
        protect(seed);
    else if (strcmp(what, "children") == 0)
        children(seed);
    else
        come_and_go(seed);
    return finish();
}
