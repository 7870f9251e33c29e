/*
 * swap_league.c - uses pages in the order that the grader tells, a little at a time: what comes
 * next is in no memory, so no policy can know it.
 *
 * At each checkpoint the grader writes into the orders, which are locked as all of the program is:
 * how many uses, and of which pages; fresh: of new memory.  None: the end.  A page is stored to
 * when it is used first, with bytes that cannot be made from fewer.
 */
#include "labs/lab.h"

#define COUNT 12288
#define USES  256

static struct {
    uint32_t uses, fresh;
    uint16_t pages[USES];
} orders;

static uint64_t x;

static void
use(uint64_t *page)
{
    if (page[0] != 0) {
        test_failures += page[0] != page[PAGE / sizeof(*page) - 1];
        return;
    }
    for (uint64_t i = 0; i < PAGE / sizeof(*page); i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        page[i] = x | 1;
    }
    page[PAGE / sizeof(*page) - 1] = page[0];
}

int
main(int argc, char **argv)
{
    char *p = NULL;

    x = seed_of(argc, argv) | 1UL << 40;
    MUST(mlockall(MCL_CURRENT));
    for (long n = 1;; n++) {
        checkpoint(n, &orders, (long)p, COUNT);
        if (orders.uses == 0)
            return finish();
        if (orders.fresh) {
            if (p != NULL)
                MUST(munmap(p, COUNT * PAGE));
            p = pages(COUNT);
        }
        for (uint32_t i = 0; i < orders.uses; i++)
            use((uint64_t *)(p + orders.pages[i] * PAGE));
    }
}
