/*
 * find_index.c - a program with a bug: one of its samples is not what it should be.
 *
 * Checkpoint: 1 before it dies: in which function, which sample it is, and what is taken for an
 * index.
 */
/* build: -O0 */
#include "labs/core/find.h"

#define SAMPLES 300
#define LEVELS  64

static int32_t samples[3][SAMPLES];
static uint64_t counts[LEVELS];

static void
count_red(void)
{
    for (uint32_t i = 0; i < SAMPLES; i++)
        counts[samples[0][i]]++;
}

static void
count_green(void)
{
    for (uint32_t i = 0; i < SAMPLES; i++)
        counts[samples[1][i]]++;
}

static void
count_blue(void)
{
    for (uint32_t i = 0; i < SAMPLES; i++)
        counts[samples[2][i]]++;
}

static void
bug(uint32_t number)
{
    uint32_t color = drawn(number, 1, 3), at = drawn(number, 2, SAMPLES);
    int32_t index = -200000 - (int32_t)drawn(number, 3, 300000);

    for (uint32_t c = 0; c < 3; c++)
        for (uint32_t i = 0; i < SAMPLES; i++)
            samples[c][i] = (int32_t)drawn(number, c * SAMPLES + i, LEVELS);
    samples[color][at] = index;
    checkpoint(1, (void *)(uintptr_t)color, at, index);
    count_red();
    count_green();
    count_blue();
}

int
main(int argc, char **argv)
{
    return leave_core(bug, argc, argv);
}
