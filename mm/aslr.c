/*
 * aslr.c - address space layout randomisation: an attacker who cannot guess an
 * address cannot use it.
 *
 * The user half has 2^35 pages.  It is cut into four quarters of 2^33 pages, and each of the
 * three things whose place matters is drawn uniformly from a quarter of its own,
 * so 33 bits each, and none tells anything about another:
 *
 *     quarter 0: the program and, a random distance behind it, the heap
 *     quarter 1: room for mappings, which grow down from their base
 *     quarter 2: base of the mappings and libraries
 *     quarter 3: the stack's top
 */
#include "mm/aslr.h"

#include "kernel/lib/random.h"
#include "mm/layout.h"

#define QUARTER_PAGES (1UL << 33)
#define QUARTER       (QUARTER_PAGES * PAGE_SIZE)
#define BRK_GAP_PAGES (1UL << 28)

/* The places that gdb users know from Linux. */
#define FIXED_PIE   0x555555554000UL
#define FIXED_MMAP  0x7ffff7fff000UL
#define FIXED_STACK 0x7ffffffff000UL

static uint64_t
draw(uint64_t below)
{
    uint64_t r;

    random_bytes(&r, sizeof(r));
    return r % below; /* below is a power of two, or small against 2^64 */
}

void
aslr_draw(struct layout *l, bool fixed)
{
    if (fixed) {
        *l = (struct layout){FIXED_STACK, 0, FIXED_MMAP, FIXED_PIE, 0};
        return;
    }
    /* The lowest page of quarter 0 and the highest of quarter 3 are never used. */
    l->pie_base = USER_BOTTOM + draw(QUARTER_PAGES - 2 * BRK_GAP_PAGES) * PAGE_SIZE;
    l->brk_gap = draw(BRK_GAP_PAGES) * PAGE_SIZE;
    l->mmap_base = 2 * QUARTER + draw(QUARTER_PAGES) * PAGE_SIZE;
    l->stack_top = 3 * QUARTER + (1 + draw(QUARTER_PAGES - 1)) * PAGE_SIZE;
    l->stack_skew = draw(PAGE_SIZE / 16) * 16;
}
