/*
 * fault_zero.c - memory that nobody wrote yet costs nothing until it is stored to.
 *
 * Everything is done once before with other pages, so that what the program itself needs is in
 * memory when the faults are counted.
 *
 * Checkpoints: 1 the pages are mapped, none was touched; 2 the chosen ones were read; 3 every
 * second one was stored to; 4 the same again, and all were read.
 */
#include "labs/lab.h"

#define COUNT 64

static void
go_through(char *p, uint32_t seed, long told)
{
    checkpoint(told + 1, p, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k++)
        if (chosen(seed, k))
            touch(p + k * PAGE, 1);
    checkpoint(told + 2, p, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k += 2)
        fill(p + k * PAGE, 1, seed + k);
    checkpoint(told + 3, p, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k += 2)
        fill(p + k * PAGE, 1, seed + k);
    touch(p, COUNT);
    checkpoint(told + 4, p, COUNT, 0);
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);

    go_through(pages(COUNT), seed, 0);
    go_through(pages(COUNT), seed, 4);
    return finish();
}
