/*
 * mmap_merge.c - neighbours that one region can describe become one, and no others.
 *
 * Checkpoints: 1 memory without a file; 2 pieces of a file; 3 unlike neighbours of other
 * kinds; 4 when regions were cut and are alike again; 5 when every page was read.
 */
#include "labs/mmap/window.h"

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv), skip = seed % 7;

    window_begin(seed);
    does(map(0, 4, RW, ANON, 0));
    does(map(8, 4, RW, ANON, 0));
    does(map(4, 4, RW, ANON, 0));
    does(map(12, 4, PROT_READ, ANON, 0));
    show_window(1);
    does(map(16, 4, PROT_READ, FILE_PRIVATE, skip));
    does(map(20, 4, PROT_READ, FILE_PRIVATE, skip + 4));
    does(map(24, 3, PROT_READ, FILE_PRIVATE, skip + 9));
    does(map(27, 3, PROT_READ, FILE_PRIVATE, skip + 9));
    does(map(32, 2, PROT_READ, FILE_PRIVATE, skip + 14));
    does(map(30, 2, PROT_READ, FILE_PRIVATE, skip + 12));
    show_window(2);
    does(map(34, 2, PROT_READ, FILE_SHARED, skip + 16));
    does(map(36, 2, PROT_READ, ANON, 0));
    does(map(38, 2, PROT_READ | PROT_EXEC, ANON, 0));
    show_window(3);
    does(mark(1, 3, 1));
    does(mark(21, 4, 1));
    does(mark(22, 1, 0));
    show_window(4);
    does(mark(1, 3, 0));
    does(mark(21, 4, 0));
    store(0, 12, byte_of(seed, 99));
    CHECK("every page has its bytes", good());
    show_window(5);
    return finish();
}
