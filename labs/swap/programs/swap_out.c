/*
 * swap_out.c - more pages than there is memory for: some leave, and each is in the place that its
 * slot names.
 *
 * Checkpoint: 1 when all are filled.
 */
#include "labs/lab.h"

#define COUNT 5000

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT);

    fill(p, COUNT, seed);
    checkpoint(1, p, COUNT, 0);
    return finish();
}
