/*
 * stack_grow.c - a stack grows to the page that is touched, wherever the stack pointer is.
 *
 * Page k of a window below the stack is counted from the lowest one.
 *
 * Checkpoints: 1 before, with the window; 2 when one page in it was stored to, and which;
 * 3 when the chosen ones were, with the number of stores that were refused; 4 another mapping
 * that grows down and for which nothing is promised, when the page at its fourth argument was
 * stored to.
 */
#include "labs/stack/stack.h"

#define WINDOW 96

static long
store_chosen(char *window, uint32_t seed)
{
    long refused = 0;

    for (uint32_t k = WINDOW; k-- > 0;)
        if (chosen(seed, k))
            refused += store(window + k * PAGE, byte_of(seed, k));
    return refused;
}

static void
another_stack(uint32_t seed)
{
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_NORESERVE, -1, 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    char *low = p - (2 + seed % 13) * PAGE;
    long refused = store(low, byte_of(seed, 0));
    checkpoint(4, p, refused, (long)low);
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    uint32_t first = WINDOW / 2 + seed % 37;
    char *window = stack_now().start - WINDOW * PAGE;

    catch_refusals();
    checkpoint(1, window, WINDOW, first);
    long refused = store(window + first * PAGE, byte_of(seed, first));
    checkpoint(2, window, refused, first);
    refused += store_chosen(window, seed);
    checkpoint(3, window, refused, first);
    another_stack(seed);
    return finish();
}
