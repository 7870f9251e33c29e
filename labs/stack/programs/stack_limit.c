/*
 * stack_limit.c - the stack grows as far as its limits allow, and not a page further.
 *
 * Checkpoints, each with the lowest page allowed and what edge() said: 1 RLIMIT_STACK of whole
 * pages; 2 one that ends inside a page; 3 RLIMIT_AS.
 */
#include "labs/stack/stack.h"

static uint32_t seed;

static void
set_limit(int which, rlim_t bytes)
{
    struct rlimit r = {bytes, RLIM_INFINITY};

    MUST(setrlimit(which, &r));
}

static void
try_at(long number, char *low)
{
    long refused = edge(low, byte_of(seed, (uint32_t)number));

    checkpoint(number, low, refused, 0);
}

int
main(int argc, char **argv)
{
    seed = seed_of(argc, argv);
    struct stack s = stack_now();
    size_t pages = (size_t)(s.end - s.start) / PAGE + 20 + seed % 41;

    catch_refusals();
    set_limit(RLIMIT_STACK, pages * PAGE);
    try_at(1, s.end - pages * PAGE);
    pages += 10 + seed % 17;
    set_limit(RLIMIT_STACK, pages * PAGE + 1 + seed % (PAGE - 1));
    try_at(2, s.end - pages * PAGE);
    set_limit(RLIMIT_STACK, RLIM_INFINITY);
    size_t more = 5 + seed % 11, size = strtoul(proc_text("/proc/self/statm"), NULL, 10);
    set_limit(RLIMIT_AS, (size + more) * PAGE);
    try_at(3, stack_now().start - more * PAGE);
    return finish();
}
