/*
 * tlb_munmap.c - what was unmapped is gone for every thread, and what is mapped there next is
 * what they see.
 */
#include "tlb.h"

static void
unmap_and_map(size_t n)
{
    char *p = pages(n), *fresh = pages(n);

    both_store(p, n, 'a');
    MUST(munmap(p, n * PAGE));
    take_frames(fresh, n, 'x');
    say("%zu pages unmapped\n", n);
    CHECK("neither thread can read them", both_find(p, n, -SIGSEGV) == n);
    MUST(mmap(p, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
              0) == p
             ? 0
             : -1);
    CHECK("others in their place are zero to both", both_find(p, n, 0) == n);

    both_store(p, n, 'b');
    char *q = mmap(p, n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0);
    CHECK("mapped over: the new ones are zero to both", q == p && both_find(p, n, 0) == n);
    CHECK("and what one stores the other sees", other_stores(p, 'c') == 'c' && look(p) == 'c' &&
                                                    store(p, 'd') && other_looks(p) == 'd');
    MUST(munmap(p, n * PAGE));
    MUST(munmap(fresh, n * PAGE));
}

int
main(void)
{
    other_start();
    for (int i = 0; i < SIZES; i++)
        unmap_and_map(sizes[i]);
    other_leave();
    return finish();
}
