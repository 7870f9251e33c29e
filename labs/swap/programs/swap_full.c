/*
 * swap_full.c - memory and swap are both full: a process is ended, and nothing of another is lost.
 *
 * Checkpoints: 1 the parent's pages are filled; 2 a child has filled memory until no slot is free;
 * 3 the parent, when the child went on and was ended for it.
 */
#include "labs/lab.h"

#include <sys/sysinfo.h>

#define COUNT 1000
#define MORE  12000

static void
fill_all(uint32_t seed)
{
    char *p = pages(MORE);
    struct sysinfo s = {.freeswap = 1};

    for (uint32_t k = 0; k < MORE; k++) {
        memset(p + k * PAGE, byte_of(seed + 1, k), PAGE);
        if (s.freeswap == 0)
            continue;
        MUST(sysinfo(&s));
        if (s.freeswap == 0)
            checkpoint(2, p, k + 1, 0);
    }
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT);

    fill(p, COUNT, seed);
    checkpoint(1, p, COUNT, 0);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        fill_all(seed);
        _exit(0);
    }
    show_status("the child", reap(child));
    checkpoint(3, p, COUNT, 0);
    CHECK("the parent finds its own", not_filled(p, COUNT, seed) == 0);
    return finish();
}
