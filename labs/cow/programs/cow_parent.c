/*
 * cow_parent.c - the parent stores at once after fork: it has just written to the same pages, so
 * the processor still remembers that it may.
 *
 * Checkpoints: 1 the parent before fork; 2 the parent when it has stored to the chosen pages;
 * 3 the child when it has read every page.
 */
#include "labs/lab.h"

#define COUNT 64

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT);
    struct gate stored;

    gate_make(&stored);
    fill(p, COUNT, seed);
    checkpoint(1, p, COUNT, 0);
    fill(p, COUNT, seed);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        gate_wait(&stored);
        touch(p, COUNT);
        checkpoint(3, p, COUNT, 0);
        _exit(0);
    }
    for (uint32_t k = 0; k < COUNT; k++)
        if (chosen(seed, k))
            memset(p + k * PAGE, byte_of(seed + 1, k), PAGE);
    checkpoint(2, p, COUNT, 0);
    gate_open(&stored);
    show_status("the child", reap(child));
    return finish();
}
