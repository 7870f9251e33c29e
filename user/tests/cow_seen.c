/*
 * cow_seen.c - the smallest program in which a page is copied on write: what docs/debugging.md
 * steps through.
 *
 * After fork() parent and child share the page, read-only; the child's store makes the copy.
 */
/* build: dynamic */
#include "test.h"

__attribute__((noinline)) static void
change(volatile int *page)
{
    page[0] = 2;
}

int
main(void)
{
    volatile int *page = (int *)pages(1);

    page[0] = 1;
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        change(page);
        _exit(page[0] == 2 ? 3 : 4);
    }
    show_status("the child sees what it has written", reap(child));
    CHECK("the parent sees what it wrote before", page[0] == 1);
    return finish();
}
