/*
 * swap_clock.c - the processor says what is used, and the clock listens.
 *
 * Checkpoints: 1 when all the few pages were used; 2 when that was forgotten; 3 when the chosen of
 * them were used again.  4 and 5: before and after it goes through many pages in turn, and between
 * any two of them uses some of a few.
 */
#include "labs/lab.h"

#include <fcntl.h>

#define COUNT  64
#define STREAM 4500
#define HOT    1000
#define USES   4 /* of the few, for each of the many */
#define ROUNDS 3

static void
forget(void)
{
    int fd = (int)MUST(open("/proc/self/clear_refs", O_WRONLY));

    MUST(write(fd, "1", 1));
    MUST(close(fd));
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv), x = seed | 1U;
    char *p = pages(COUNT), *many = pages(STREAM + HOT);

    fill(p, COUNT, seed);
    checkpoint(1, p, COUNT, 0);
    touch(p, COUNT);
    forget();
    checkpoint(2, p, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k++)
        if (chosen(seed, k))
            (void)*(volatile char *)(p + k * PAGE);
    checkpoint(3, p, COUNT, 0);
    fill(many, STREAM + HOT, seed);
    touch(many + STREAM * PAGE, HOT);
    checkpoint(4, many, STREAM, HOT);
    for (uint32_t n = 0; n < ROUNDS * STREAM; n++) {
        (void)*(volatile char *)(many + n % STREAM * PAGE);
        for (int use = 0; use < USES; use++) {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            (void)*(volatile char *)(many + (STREAM + x % HOT) * PAGE);
        }
    }
    checkpoint(5, many, STREAM, HOT);
    return finish();
}
