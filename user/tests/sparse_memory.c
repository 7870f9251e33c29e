/*
 * sparse_memory.c - a mapping of 64 GiB with a page touched here and there.
 *
 * Page tables appear only where pages do, and go when the mapping goes.  The same
 * memory is mapped and given back several times, so a leak would add up.
 */
#include "test.h"

#define SIZE (64UL << 30)

int
main(void)
{
    for (int round = 0; round < 5; round++) {
        char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        MUST(p == MAP_FAILED ? -1 : 0);
        int wrong = 0;
        for (size_t i = 0; i < 16; i++)
            wrong += p[i * (SIZE / 16)] != 0;
        for (size_t i = 0; i < 16; i++)
            p[i * (SIZE / 16) + i] = (char)(i + 1);
        for (size_t i = 0; i < 16; i++)
            wrong += p[i * (SIZE / 16) + i] != (char)(i + 1);
        p[SIZE - 1] = 'e';
        say("round %d: %d wrong\n", round, wrong);
        MUST(munmap(p, SIZE));
    }
    return finish();
}
