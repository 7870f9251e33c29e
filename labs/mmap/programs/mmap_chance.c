/*
 * mmap_chance.c - calls by chance in one window.
 *
 * Checkpoints: each after STEPS calls, and when every page was read.
 */
#include "labs/mmap/window.h"

#define CHECKPOINTS 12
#define STEPS       12

static uint32_t state;

static uint32_t
draw(uint32_t n)
{
    state = state * 1664525 + 1013904223;
    return (state >> 12) % n;
}

static void
step(void)
{
    static const int prots[] = {PROT_NONE, PROT_READ, RW, RW, PROT_READ | PROT_EXEC};
    uint32_t at = draw(PAGES - 1), n = 1 + draw(PAGES - at < 16 ? PAGES - at : 16);
    uint32_t what = draw(10);

    if (what < 2)
        does(map(at, n, prots[draw(5)], ANON, 0));
    else if (what < 4)
        does(map(at, n, prots[draw(5)], FILE_PRIVATE, draw(4) * 8));
    else if (what < 5)
        does(map(at, n, PROT_READ, FILE_SHARED, draw(4) * 8));
    else if (what < 7)
        does(unmap(at, n));
    else if (what < 9)
        (void)protect(at, n, prots[draw(5)]);
    else
        store(at, n, (unsigned char)(1 + draw(255)));
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);

    state = seed;
    window_begin(seed);
    for (long n = 1; n <= CHECKPOINTS; n++) {
        for (int i = 0; i < STEPS; i++)
            step();
        CHECK("every page has its bytes", good());
        show_window(n);
    }
    return finish();
}
