/*
 * stack_gap.c - the stack keeps its distance from what lies below, and grows over nothing.
 *
 * Checkpoints: 1 at a wall that may be used: the lowest page allowed, what edge() said, the wall;
 * 2 at a wall that nobody may use; 3 when pages below both kinds of wall were stored to, with the
 * number of those stores that were refused; 4 when a store below all that a program may use was
 * tried, under a mapping that grows down: that mapping, and whether it was refused.
 */
#include "labs/stack/stack.h"

#define GAP    (256 * PAGE)
#define WALL   (2 * PAGE)
#define LOWEST 0x10000UL /* the first address that a program may use */

static char *
map(char *at, size_t size, int flags)
{
    void *p = mmap(at, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *wall = stack_now().start - (300 + seed % 53) * PAGE - WALL;

    catch_refusals();
    map(wall, WALL, 0);
    fill(wall, 2, seed);
    char *low = wall + WALL + GAP;
    long refused = edge(low, byte_of(seed, 2));
    checkpoint(1, low, refused, (long)wall);

    int below = store(wall - PAGE, 1);
    MUST(mprotect(wall, WALL, PROT_NONE));
    refused = store(wall + WALL, byte_of(seed, 3));
    checkpoint(2, wall + WALL, refused, (long)wall);

    below += store(wall - PAGE, 1);
    MUST(mprotect(wall, WALL, PROT_READ | PROT_WRITE));
    touch(wall, 2);
    below += store(wall - PAGE, 1) + store(wall - 5 * PAGE, 1);
    checkpoint(3, wall + WALL, below, (long)wall);

    char *lowest = map((char *)LOWEST, PAGE, MAP_GROWSDOWN);
    refused = store(lowest - PAGE, 1);
    checkpoint(4, lowest, refused, 0);
    return finish();
}
