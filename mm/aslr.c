/*
 * aslr.c - address space layout randomisation: an attacker who cannot guess an
 * address cannot use it.
 *
 * The user half has 2^35 pages.  It is cut into four quarters of 2^33 pages, and each of the
 * three things whose place matters is drawn uniformly from a range as long as a quarter, so 33
 * bits each, and none tells anything about another:
 *
 *     quarter 0: the program and, a random distance behind it, the heap
 *     quarter 1: room for the heap to grow up and for mappings to grow down
 *     quarter 2: base of the mappings and libraries
 *     quarter 3: the stack's top
 *
 * The mappings' range ends STACK_ROOM before quarter 3: the lowest stack has that much below it.
 */
#include "mm/aslr.h"

#include "kernel/lib/random.h"
#include "mm/layout.h"

#define QUARTER_PAGES (1UL << 33)
#define QUARTER       (QUARTER_PAGES * PAGE_SIZE)
#define BRK_GAP_PAGES (1UL << 28)
#define STACK_ROOM    (1UL << 40)

/* The stack that is highest ends where the last page that may be used does. */
STATIC_ASSERT(4 * QUARTER - PAGE_SIZE == USER_TOP);

/* The places that gdb users know from Linux. */
#define FIXED_PIE   0x555555554000UL
#define FIXED_MMAP  0x7ffff7fff000UL
#define FIXED_STACK 0x7ffffffff000UL

void
aslr_draw(struct layout *l, bool fixed)
{
    *l = (struct layout){FIXED_STACK, 0, FIXED_MMAP, FIXED_PIE, 0};
    if (fixed)
        return;
    // LAB aslr/2 begin
    uint64_t r[5];

    random_bytes(r, sizeof(r));
    /* All moduli are powers of two, so all places are equally likely. */
    l->pie_base = USER_BOTTOM + r[0] % QUARTER_PAGES * PAGE_SIZE;
    l->brk_gap = r[1] % BRK_GAP_PAGES * PAGE_SIZE;
    l->mmap_base = 2 * QUARTER - STACK_ROOM + r[2] % QUARTER_PAGES * PAGE_SIZE;
    l->stack_top = 3 * QUARTER + r[3] % QUARTER_PAGES * PAGE_SIZE;
    l->stack_skew = r[4] % (PAGE_SIZE / 16) * 16;
    // LAB end
}
