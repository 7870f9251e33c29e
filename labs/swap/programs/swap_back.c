/*
 * swap_back.c - pages come back, in turn and by chance.
 *
 * Checkpoints: 1 when all are filled; 2 when each was read in turn; 3 when some were read in an
 * order that no neighbours help with.
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
    checkpoint(1, p, COUNT, 0);
    CHECK("every page is as it was", not_filled(p, COUNT, seed) == 0);
    checkpoint(2, p, COUNT, 0);
    for (uint32_t n = 0, k = seed % COUNT; n < COUNT / 4; n++, k = (k + 1117) % COUNT)
        wrong += !all_bytes(p + k * PAGE, PAGE, byte_of(seed, k));
    CHECK("and by chance, too", wrong == 0);
    checkpoint(3, p, COUNT, 0);
    return finish();
}
