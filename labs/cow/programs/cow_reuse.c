/*
 * cow_reuse.c - who is left alone with a page writes to it where it is.
 *
 * First the child ends and the parent stores; then the parent gives its pages up and the child
 * stores.
 *
 * Checkpoints: 1 the parent before fork; 2 the same when the child has ended and every page was
 * stored to; 3 the parent before the second fork; 4 the second child when the parent's pages are
 * gone; 5 the same when it has stored to every page.
 */
#include "labs/lab.h"

#define COUNT 32

static void
the_parent_is_left(char *p, uint32_t seed)
{
    checkpoint(1, p, COUNT, 0);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        touch(p, COUNT);
        _exit(0);
    }
    show_status("the first child", reap(child));
    fill(p, COUNT, seed + 1);
    checkpoint(2, p, COUNT, 0);
}

static void
the_child_is_left(char *p, uint32_t seed)
{
    struct gate gone;

    gate_make(&gone);
    checkpoint(3, p, COUNT, 0);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        gate_wait(&gone);
        touch(p, COUNT);
        checkpoint(4, p, COUNT, 0);
        fill(p, COUNT, seed + 2);
        checkpoint(5, p, COUNT, 0);
        _exit(0);
    }
    MUST(munmap(p, COUNT * PAGE));
    gate_open(&gone);
    show_status("the second child", reap(child));
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT);

    fill(p, COUNT, seed);
    the_parent_is_left(p, seed);
    the_child_is_left(p, seed);
    return finish();
}
