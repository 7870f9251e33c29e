/*
 * mmap_split.c - advice for a part of a region makes two or three of one.
 *
 * Checkpoints: 1 two regions; 2 after some splits; 3 when every page was read.
 */
#include "labs/mmap/window.h"

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv), at = seed % 3;

    window_begin(seed);
    does(map(2, 12, RW, ANON, 0));
    store(2, 12, byte_of(seed, 99));
    does(map(20, 16, PROT_READ, FILE_PRIVATE, 5));
    show_window(1);
    does(mark(4 + at, 3, 1));  /* the middle, ... */
    does(mark(12, 2, 1));      /* ... the end, ... */
    does(mark(20, 1 + at, 1)); /* ... the beginning */
    does(mark(26 + at, 5, 1));
    does(mark(27 + at, 1, 0));
    show_window(2);
    CHECK("every page has its bytes", good());
    show_window(3);
    return finish();
}
