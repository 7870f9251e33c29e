/*
 * fresh_pages_are_zero.c - no memory ever shows what another process left in it.
 *
 * Children fill megabytes with a pattern and end, by exit and by signal; whoever comes
 * next must find zeros in bss, heap, stack and mappings.
 */
#include "test.h"

#define N 768

static void
fill(void *how)
{
    char *p = pages(N);

    memset(p, 0xa5, N * PAGE);
    if (how != NULL)
        raise(SIGKILL);
}

static void
inspect(void *arg)
{
    char *p = pages(N);
    char *heap = sbrk(64 * PAGE);
    volatile char *stack = __builtin_alloca(1 << 20);
    int zero = 1;

    (void)arg;
    for (size_t i = 0; i < (1 << 20); i += 64)
        zero &= stack[i] == 0;
    CHECK("a mapping", all_bytes(p, N * PAGE, 0));
    CHECK("the heap", all_bytes(heap, 64 * PAGE, 0));
    CHECK("the stack", zero);
}

int
main(void)
{
    for (int round = 0; round < 4; round++) {
        show_status("a process that fills memory", in_child(fill, round % 2 ? &round : NULL));
        show_status("a process that looks", in_child(inspect, NULL));
    }
    return finish();
}
