/*
 * malloc_pattern.c - musl's allocator at work: thousands of blocks of many sizes,
 * filled, grown, freed in a fixed pseudo-random order.
 *
 * Each block carries its own pattern; a page lost or shared by mistake shows as a
 * wrong byte.
 */
#include "test.h"

#define SLOTS 128

static uint32_t seed = 12345;

static uint32_t
next(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

int
main(void)
{
    static unsigned char *block[SLOTS];
    static size_t size[SLOTS];
    unsigned long sum = 0, wrong = 0;

    for (int step = 0; step < 6000; step++) {
        int i = (int)(next() % SLOTS);
        if (block[i] != NULL)
            wrong += !all_bytes(block[i], size[i], (unsigned char)i);
        if (block[i] != NULL && next() % 3 != 0) {
            free(block[i]);
            block[i] = NULL;
            continue;
        }
        size_t old = block[i] == NULL ? 0 : size[i];
        size[i] = next() % (next() % 16 == 0 ? 200000 : 3000) + 1;
        block[i] = realloc(block[i], size[i]);
        if (block[i] == NULL) {
            say("out of memory\n");
            return 1;
        }
        wrong += !all_bytes(block[i], old < size[i] ? old : size[i], (unsigned char)i);
        memset(block[i], i, size[i]);
        sum += size[i];
    }
    say("allocated %lu bytes, %lu wrong blocks\n", sum, wrong);
    return wrong != 0;
}
