/*
 * cow_break.c - a child's store copies that page, and no other.
 *
 * Checkpoints: 1 the parent before fork; 2 the child when it has read every page; 3 the child when
 * it has stored to the chosen ones; 4 the parent meanwhile; 5 the parent when the child has ended.
 */
#include "labs/lab.h"

#define COUNT 64

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT);
    struct gate stored, leave;

    gate_make(&stored);
    gate_make(&leave);
    fill(p, COUNT, seed);
    checkpoint(1, p, COUNT, 0);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        touch(p, COUNT);
        checkpoint(2, p, COUNT, 0);
        for (uint32_t k = 0; k < COUNT; k++)
            if (chosen(seed, k))
                memset(p + k * PAGE, byte_of(seed + 1, k), PAGE);
        checkpoint(3, p, COUNT, 0);
        gate_open(&stored);
        gate_wait(&leave);
        _exit(0);
    }
    gate_wait(&stored);
    touch(p, COUNT);
    checkpoint(4, p, COUNT, 0);
    gate_open(&leave);
    show_status("the child", reap(child));
    checkpoint(5, p, COUNT, 0);
    return finish();
}
