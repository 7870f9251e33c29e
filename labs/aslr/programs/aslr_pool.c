/*
 * aslr_pool.c - a program that chooses a place for its memory itself, badly.
 *
 * How badly depends on the number that it is given: of the address only some bits are drawn, and
 * one more is a copy of another.
 *
 * Checkpoint: 1 how many bits are drawn, and all that change.
 */
#include "labs/lab.h"

#define POOL    0x200000000000U
#define LOWEST  12 /* of the bits that may change */
#define CHOICES 24 /* so many bits */

/* next - the next one of the numbers that come with a number. */
static uint32_t
next(uint64_t *state, uint32_t limit)
{
    *state = (*state + 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U;
    *state ^= *state >> 29;
    return (uint32_t)(*state >> 32) % limit;
}

/* choose_bits - @count different ones of those that may change. */
static void
choose_bits(uint64_t *state, unsigned *bits, unsigned count)
{
    uint64_t taken = 0;

    for (unsigned i = 0; i < count; i++) {
        do {
            bits[i] = LOWEST + next(state, CHOICES);
        } while (taken >> bits[i] & 1);
        taken |= 1UL << bits[i];
    }
}

int
main(int argc, char **argv)
{
    uint64_t state = seed_of(argc, argv), at = POOL, changing = 0;
    unsigned bits[8], drawn = 4 + next(&state, 4);
    uint32_t random;

    choose_bits(&state, bits, drawn + 1); /* the last is the copy of the first */
    MUST(syscall(SYS_getrandom, &random, sizeof(random), 0));
    random = (random & ((1U << drawn) - 1)) | (random & 1) << drawn;
    for (unsigned i = 0; i <= drawn; i++) {
        at |= (uint64_t)(random >> i & 1) << bits[i];
        changing |= 1UL << bits[i];
    }
    char *pool = mmap((void *)at, PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    MUST(pool == (char *)at ? 0 : -1);
    say("%lx\n", (unsigned long)pool);
    checkpoint(1, (void *)(uintptr_t)drawn, (long)changing, 0);
    return 0;
}
