/*
 * mmap_place.c - where mappings go: holes of all sizes, wishes, and the distance from a
 * stack.
 *
 * Checkpoints: 1 before anything was mapped; 2 when all calls were made, which stand in a
 * table.
 */
#include "labs/lab.h"

#define FIRST  24
#define SECOND 20
#define CALLS  96
#define WISH   ((char *)0x100000000000UL) /* far from everything */

/* A call of mmap(), or of munmap() if no flags are given; words for the probe. */
struct call {
    uint64_t result, length, address, flags;
};

static struct call calls[CALLS];
static long n;

/* Neighbours never have the same rights, so no two become one. */
static char *
map(char *wish, uint64_t count, int flags)
{
    struct call *c = &calls[n];

    flags |= MAP_PRIVATE | MAP_ANONYMOUS;
    c->length = count * PAGE;
    c->address = (uint64_t)wish;
    c->flags = (uint64_t)flags;
    c->result = (uint64_t)mmap(wish, c->length, n++ % 2 ? PROT_READ : PROT_NONE, flags, -1, 0);
    return (char *)c->result;
}

static void
unmap(char *p, uint64_t length)
{
    MUST(munmap(p, length));
    calls[n++] = (struct call){.length = length, .address = (uint64_t)p};
}

static void
wishes(uint32_t seed)
{
    char *there = map(WISH, 3 + seed % 3, 0);
    char *stack = map(WISH + 4096 * PAGE, 4, MAP_FIXED | MAP_GROWSDOWN);

    map(there + PAGE, 2, 0);                   /* taken */
    map(there - PAGE, 2, 0);                   /* its second page is taken */
    map(there - 2 * PAGE + seed % 4096, 2, 0); /* free, and not aligned */
    map(there - 12 * PAGE, 10, 0);             /* fits to the page */
    map((char *)PAGE, 2, 0);                   /* where no program may have memory */
    map((char *)-PAGE, 2, 0);
    map(stack - 7 * PAGE, 3, 0);   /* too close to a stack */
    map(stack - 258 * PAGE, 3, 0); /* still too close, by one page */
    map(stack - 259 * PAGE, 3, 0); /* just far enough */
    for (int i = 0; i < 3; i++)
        map(NULL, 1 + (seed + i) % 4, MAP_32BIT);
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p[FIRST];

    checkpoint(1, NULL, 0, 0);
    for (uint32_t k = 0; k < FIRST; k++)
        p[k] = map(NULL, 1 + byte_of(seed, k) % 9, 0);
    for (uint32_t k = 1; k < FIRST; k++)
        if (k % 5 == 1 || chosen(seed, k))
            unmap(p[k], calls[k].length);
    for (uint32_t k = 0; k < SECOND; k++)
        map(NULL, 1 + byte_of(seed + 1, k) % 12, 0);
    wishes(seed);
    checkpoint(2, calls, n, 0);
    return finish();
}
