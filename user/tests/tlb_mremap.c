/*
 * tlb_mremap.c - pages that moved are gone from where they were, and are where they are now, for
 * every thread.
 */
#include "tlb.h"

static void
move(size_t n)
{
    char *p = pages(n), *place = pages(n);

    say("%zu pages\n", n);
    for (size_t k = 0; k < n; k++)
        both_store(p + k * PAGE, 1, (int)k + 1);
    both_store(place, n, 'x');
    char *q = mremap(p, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    MUST(q == place ? 0 : -1);
    CHECK("they are gone from the old place", both_find(p, n, -SIGSEGV) == n);
    size_t right = 0;
    for (size_t k = 0; k < n; k++)
        right += both_find(q + k * PAGE, 1, (int)k + 1);
    CHECK("they are at the new one", right == n);

    MUST(mmap(p, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
              0) == p
             ? 0
             : -1);
    both_store(p, n, 'y');
    for (size_t k = right = 0; k < n; k++)
        right += both_find(q + k * PAGE, 1, (int)k + 1);
    CHECK("and others at the old place are others", right == n);
    MUST(munmap(p, n * PAGE));
    MUST(munmap(q, n * PAGE));
}

int
main(void)
{
    other_start();
    for (int i = 0; i < SIZES; i++)
        move(sizes[i]);
    other_leave();
    return finish();
}
