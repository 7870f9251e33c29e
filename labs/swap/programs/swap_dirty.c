/*
 * swap_dirty.c - pages that come back, and are stored to when they are mapped already: nothing but
 * the D bit of the entry tells of it.
 *
 * Checkpoints: 1 when the chosen pages were stored to; 2 when all others were read since.
 */
#include "labs/lab.h"

#define COUNT 5000

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT);
    size_t wrong = 0;

    fill(p, COUNT, seed);
    for (uint32_t k = 0; k < COUNT; k++) {
        (void)*(volatile char *)(p + k * PAGE);
        if (chosen(seed, k))
            memset(p + k * PAGE, byte_of(seed + 1, k), PAGE);
    }
    checkpoint(1, p, COUNT, 0);
    touch(p, COUNT);
    checkpoint(2, p, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k++)
        wrong += !all_bytes(p + k * PAGE, PAGE, byte_of(seed + (uint32_t)chosen(seed, k), k));
    CHECK("no store was lost", wrong == 0);
    return finish();
}
