/*
 * swap_clean.c - pages that come back and are only read.
 *
 * Checkpoints: 1 when each page was in the slot and came back once; 2 when all were read twice
 * more.
 */
#include "labs/lab.h"

#define COUNT 5000

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT);

    fill(p, COUNT, seed);
    touch(p, COUNT);
    checkpoint(1, p, COUNT, 0);
    touch(p, COUNT);
    touch(p, COUNT);
    checkpoint(2, p, COUNT, 0);
    return finish();
}
