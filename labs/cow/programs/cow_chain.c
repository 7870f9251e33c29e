/*
 * cow_chain.c - three generations share a page; each stores to it in turn, the youngest first.
 *
 * Page k is stored to by the grandchild if k % 4 > 0, by the child if k % 4 > 1, by the parent if
 * k % 4 > 2.
 *
 * Checkpoints: 1 the parent before fork; 2 the grandchild when it has read every page; 3 the same
 * when it has stored; 4 the child when it has stored; 5 the parent when it has; 6 the parent when
 * the others have ended.
 */
#include "labs/lab.h"

#define COUNT 32

static char *p;
static uint32_t seed;
static struct gate turn[3], leave;

static void
store(uint32_t generation)
{
    for (uint32_t k = 0; k < COUNT; k++)
        if (k % 4 > 2 - generation)
            memset(p + k * PAGE, byte_of(seed + 1 + generation, k), PAGE);
}

static void
grandchild(void)
{
    touch(p, COUNT);
    checkpoint(2, p, COUNT, 0);
    store(2);
    checkpoint(3, p, COUNT, 0);
    gate_open(&turn[1]);
    gate_wait(&leave);
    _exit(0);
}

static void
child(void)
{
    touch(p, COUNT);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        grandchild();
    gate_wait(&turn[1]);
    store(1);
    checkpoint(4, p, COUNT, 0);
    gate_open(&turn[0]);
    _exit(reap(pid));
}

int
main(int argc, char **argv)
{
    seed = seed_of(argc, argv);
    p = pages(COUNT);
    for (int i = 0; i < 3; i++)
        gate_make(&turn[i]);
    gate_make(&leave);
    fill(p, COUNT, seed);
    checkpoint(1, p, COUNT, 0);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        child();
    gate_wait(&turn[0]);
    store(0);
    checkpoint(5, p, COUNT, 0);
    gate_open(&leave);
    show_status("child and grandchild", reap(pid));
    touch(p, COUNT);
    checkpoint(6, p, COUNT, 0);
    return finish();
}
