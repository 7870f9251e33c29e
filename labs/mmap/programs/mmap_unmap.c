/*
 * mmap_unmap.c - what is unmapped is gone, and nothing else.
 *
 * Checkpoints: 1 before; 2 holes and edges are gone; 3 every other page was read; 4 ranges
 * over several regions, and new mappings over old ones; 5 pages far apart were stored to, and
 * unmapped; 6 what was mapped anew was read, and stored to in part.
 */
#include "labs/mmap/window.h"

#define FAR  ((char *)0x300000000000UL)
#define GAP  (1UL << 31)
#define MANY 8

static void
map_far(void)
{
    for (size_t k = 0; k < MANY; k++) {
        char *p =
            mmap(FAR + k * GAP, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

        MUST(p == MAP_FAILED ? -1 : 0);
        memset(p, 1, 2 * PAGE);
        MUST(munmap(p, 2 * PAGE));
    }
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv), at = seed % 4;

    window_begin(seed);
    does(map(0, 30, RW, ANON, 0));
    store(0, 30, byte_of(seed, 99));
    does(map(30, 20, PROT_READ, FILE_PRIVATE, 3));
    does(map(52, 10, PROT_READ, FILE_SHARED, 3));
    CHECK("every page has its bytes", good());
    show_window(1);
    does(unmap(7 + at, 3));
    does(unmap(0, 1 + at));
    does(unmap(34 + at, 5));
    does(unmap(60, 2));
    does(unmap(52, 2));
    does(unmap(50, 2)); /* nothing is there */
    show_window(2);
    CHECK("every page that is left has its bytes", good());
    show_window(3);
    does(unmap(26 + at, 20));                     /* three pieces and a hole */
    does(map(14, 3, PROT_READ, FILE_PRIVATE, 9)); /* in the middle of a region */
    does(map(17 + at, 5, RW, ANON, 0));
    does(map(48, 7, RW, ANON, 0)); /* over the ends of two, and a hole */
    show_window(4);
    map_far();
    show_window(5);
    CHECK("new memory is zeros", good());
    store(17, 4, byte_of(seed, 98));
    show_window(6);
    return finish();
}
