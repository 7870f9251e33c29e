/*
 * many_regions.c - hundreds of small regions made by mprotect and munmap, in an order
 * that splits and merges them.
 *
 * Each page is numbered; after every wave the survivors must have their numbers.
 */
#include "test.h"

#define N 600

int
main(void)
{
    char *p = pages(N);
    int wrong = 0;

    for (int i = 0; i < N; i++)
        *(int *)(p + i * PAGE) = i;
    for (int i = 0; i < N; i += 2)
        MUST(mprotect(p + i * PAGE, PAGE, PROT_READ));
    for (int i = 0; i < N; i++)
        wrong += *(int *)(p + i * PAGE) != i;
    CHECK("every second page read-only, all numbers there", wrong == 0);
    for (int i = 1; i < N; i += 2)
        *(int *)(p + i * PAGE) += 1000;
    MUST(mprotect(p, N * PAGE, PROT_READ | PROT_WRITE));
    for (int i = 0; i < N; i++)
        wrong += *(int *)(p + i * PAGE) != i + (i % 2) * 1000;
    CHECK("one region again", wrong == 0);
    for (int i = 0; i < N; i += 3)
        MUST(munmap(p + i * PAGE, PAGE));
    for (int i = 0; i < N; i++)
        if (i % 3 != 0)
            wrong += *(int *)(p + i * PAGE) != i + (i % 2) * 1000;
    CHECK("every third page gone, the others there", wrong == 0);
    for (int i = 0; i < N; i += 3) {
        void *q = mmap(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        MUST(q == MAP_FAILED ? -1 : 0);
        wrong += !all_bytes(q, PAGE, 0);
    }
    CHECK("filled again, with zeros", wrong == 0);
    for (int i = 0; i < N; i++)
        if (i % 3 != 0)
            wrong += *(int *)(p + i * PAGE) != i + (i % 2) * 1000;
    CHECK("and the neighbours unhurt", wrong == 0);
    show("all at once", munmap(p, N * PAGE));
    return finish();
}
