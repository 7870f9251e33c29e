/*
 * mmap_hints.c - an address without MAP_FIXED is a wish, with it an order, with
 * MAP_FIXED_NOREPLACE an order that hurts nobody.
 *
 * The addresses themselves differ from run to run; only relations are printed.
 */
#include "test.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

int
main(void)
{
    char *area = pages(16);

    memset(area, 'a', 16 * PAGE);
    MUST(munmap(area + 4 * PAGE, 4 * PAGE));
    char *p = mmap(area + 5 * PAGE, PAGE, RW, ANON, -1, 0);
    CHECK("a free hint is taken exactly", p == area + 5 * PAGE);
    CHECK("and is zero", all_bytes(p, PAGE, 0));
    char *q = mmap(area + 6 * PAGE + 1, PAGE, RW, ANON, -1, 0);
    CHECK("a hint that is no page is rounded", ((uintptr_t)q & (PAGE - 1)) == 0);
    char *r = mmap(area, PAGE, RW, ANON, -1, 0);
    CHECK("a taken hint gives another place", r != MAP_FAILED && r != area);
    CHECK("and leaves what was there", all_bytes(area, 4 * PAGE, 'a'));
    char *s = mmap(area + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
    CHECK("MAP_FIXED replaces", s == area + PAGE && all_bytes(s, PAGE, 0));
    CHECK("just that page", area[PAGE - 1] == 'a' && area[2 * PAGE] == 'a');
    void *t = mmap(area + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
    show_ok("MAP_FIXED_NOREPLACE over something", (long)t);
    CHECK("which stays", all_bytes(area + 2 * PAGE, PAGE, 'a'));
    t = mmap(area + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK("MAP_FIXED_NOREPLACE where nothing is", t == area + 4 * PAGE);
    char *b = pages(64);
    CHECK("two mappings do not overlap", b + 64 * PAGE <= area || b >= area + 16 * PAGE);
    char *l = mmap(area + 8 * PAGE, PAGE, RW, ANON | MAP_32BIT, -1, 0);
    CHECK("MAP_32BIT is below 2 GiB, whatever the hint", (uintptr_t)l < 1UL << 31);
    show_ok("MAP_32BIT of what does not fit there",
            (long)mmap(NULL, 3UL << 30, PROT_NONE, ANON | MAP_NORESERVE | MAP_32BIT, -1, 0));
    return finish();
}
