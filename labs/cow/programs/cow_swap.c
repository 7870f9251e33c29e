/*
 * cow_swap.c - fork of a process that is larger than memory: pages are shared in swap, too, and
 * what was stored just before the fork is not lost.
 *
 * Checkpoints: 1 the parent before fork, when it has come back to its first pages and stored to
 * them; 2 the parent right after fork; 3 the child when it has stored to the chosen pages and read
 * the others.
 */
#include "labs/lab.h"

#define COUNT 6000
#define AGAIN 64

static size_t
wrong(const char *p, uint32_t seed, int child)
{
    size_t bad = 0;

    for (uint32_t k = 0; k < COUNT; k++) {
        uint32_t of = child && chosen(seed, k) ? seed + 2 : k < AGAIN ? seed + 1 : seed;

        bad += !all_bytes(p + k * PAGE, PAGE, byte_of(of, k));
    }
    return bad;
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT);
    struct gate go;

    gate_make(&go);
    fill(p, COUNT, seed);
    touch(p, AGAIN);          /* they come back from the disk, clean, ... */
    fill(p, AGAIN, seed + 1); /* ... and become dirty by nothing but this store */
    checkpoint(1, p, COUNT, AGAIN);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        gate_wait(&go);
        for (uint32_t k = 0; k < COUNT; k++)
            if (chosen(seed, k))
                memset(p + k * PAGE, byte_of(seed + 2, k), PAGE);
        CHECK("the child finds its own and the parent's bytes", wrong(p, seed, 1) == 0);
        checkpoint(3, p, COUNT, AGAIN);
        _exit(test_failures);
    }
    checkpoint(2, p, COUNT, AGAIN);
    gate_open(&go);
    show_status("the child", reap(child));
    CHECK("the parent finds what it stored", wrong(p, seed, 0) == 0);
    return finish();
}
