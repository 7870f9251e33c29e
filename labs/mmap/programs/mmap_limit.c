/*
 * mmap_limit.c - when a process has as many regions as it may, what would make one more is
 * refused, and changes nothing.
 *
 * Checkpoints: 1 before; 2 after all, with the number of calls that were not answered as they
 * should be, and room for so many regions again.
 */
#include "labs/mmap/window.h"

#define TRIES 40000UL /* each makes two regions more: more than there may be */

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv), at = seed % 3;
    size_t size = 2 * TRIES * PAGE, n = 0;
    int wrong = 0;

    window_begin(seed);
    does(map(0, 8, RW, ANON, 0));
    does(map(10, 8, PROT_READ, FILE_PRIVATE, 2));
    store(0, 8, byte_of(seed, 99));
    show_window(1);
    char *room =
        mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MUST(room == MAP_FAILED ? -1 : 0);
    while (n < TRIES && madvise(room + (2 * n + 1) * PAGE, PAGE, MADV_DONTDUMP) == 0)
        n++;
    wrong += n == TRIES;
    wrong += unmap(2 + at, 2) != ENOMEM;
    wrong += protect(1 + at, 3, PROT_READ) != ENOMEM;
    wrong += unmap(12 + at, 3) != ENOMEM;
    wrong += unmap(0, 1) != 0;
    wrong += unmap(16, 2) != 0;
    wrong += unmap(6, 6) != 0;
    MUST(munmap(room, size));
    CHECK("every page that is left has its bytes", good());
    checkpoint(2, WINDOW, wrong, (long)model);
    return finish();
}
