/*
 * swap_fork.c - two processes share pages that are in swap; each page has one slot, and keeps it
 * until nobody names it.
 *
 * Checkpoints: 1 before the fork; 2 the child when it has read all; 3 the parent when the child
 * has stored to the chosen pages and ended; 4 the parent when it has given its pages up.
 */
#include "labs/lab.h"

#define COUNT 4500

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT);

    fill(p, COUNT, seed);
    checkpoint(1, p, COUNT, 0);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        touch(p, COUNT);
        checkpoint(2, p, COUNT, 0);
        for (uint32_t k = 0; k < COUNT; k++)
            if (chosen(seed, k))
                memset(p + k * PAGE, byte_of(seed + 1, k), PAGE);
        _exit(0);
    }
    show_status("the child", reap(child));
    checkpoint(3, p, COUNT, 0);
    CHECK("the parent finds its own", not_filled(p, COUNT, seed) == 0);
    MUST(munmap(p, COUNT * PAGE));
    checkpoint(4, p, COUNT, 0);
    return finish();
}
