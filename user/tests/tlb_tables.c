/*
 * tlb_tables.c - 2 MiB and more unmapped, so that page tables go too; other memory in their
 * place gets other tables, and every thread walks those.
 */
#include "tlb.h"

#define MIB  (1UL << 20)
#define SIZE (6 * MIB)
#define STEP (512 * 1024UL)

static size_t
both_find_spread(char *p, int value)
{
    size_t found = 0;

    for (size_t at = 0; at < SIZE; at += STEP)
        found += both_find(p + at, 1, value);
    return found;
}

static void
store_spread(char *p, int value)
{
    for (size_t at = 0; at < SIZE; at += STEP)
        both_store(p + at, 1, value);
}

static void
child_main(void *arg)
{
    char *p = pages(SIZE / PAGE);

    (void)arg;
    for (size_t at = 0; at < SIZE; at += STEP)
        p[at] = 'x';
}

int
main(void)
{
    char *p = pages(SIZE / PAGE), *fresh = pages(48);

    other_start();
    for (int round = 0; round < 3; round++) {
        store_spread(p, 'a');
        MUST(munmap(p, SIZE));
        CHECK("unmapped: neither thread reads it",
              both_find_spread(p, -SIGSEGV) == SIZE / STEP);
        /* Other spaces take what were its tables. */
        show_status("a child", in_child(child_main, NULL));
        take_frames(fresh + round * 16 * PAGE, 16, 0xff);
        CHECK("still not", both_find_spread(p, -SIGSEGV) == SIZE / STEP);
        MUST(mmap(p, SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == p
                 ? 0
                 : -1);
        CHECK("mapped anew: zeros", both_find_spread(p, 0) == SIZE / STEP);
        store_spread(p, 'b' + round);
        CHECK("and what is stored", both_find_spread(p, 'b' + round) == SIZE / STEP);
    }
    other_leave();
    return finish();
}
