/*
 * brk_heap_splits.c - the heap is memory like any other: a page of it can be mapped
 * over, protected and unmapped, and brk still moves the end.
 *
 * musl's malloc puts a PROT_NONE page over the first page behind the break.
 */
#include "test.h"

static char *
raw_brk(void *end)
{
    return (char *)syscall(SYS_brk, end);
}

static void
read_it(void *at)
{
    volatile char c = *(char *)at;
    (void)c;
}

int
main(void)
{
    char *start = raw_brk(NULL);
    char *base = (char *)(((uintptr_t)start + PAGE - 1) & ~(PAGE - 1));

    CHECK("brk(0) tells the end", start != NULL);
    CHECK("brk grows", raw_brk(base + 8 * PAGE) == base + 8 * PAGE);
    CHECK("with zeros", all_bytes(base, 8 * PAGE, 0));
    memset(base, 'h', 8 * PAGE);
    void *guard = mmap(base, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK("a guard over the first page", guard == base);
    show_status("read the guard", in_child(read_it, base));
    CHECK("the second page is the heap's", all_bytes(base + PAGE, PAGE, 'h'));
    CHECK("brk still grows", raw_brk(base + 12 * PAGE) == base + 12 * PAGE);
    CHECK("old bytes stay", all_bytes(base + PAGE, 7 * PAGE, 'h'));
    CHECK("new bytes are zero", all_bytes(base + 8 * PAGE, 4 * PAGE, 0));
    CHECK("mprotect inside the heap", mprotect(base + 3 * PAGE, PAGE, PROT_READ) == 0);
    CHECK("brk shrinks", raw_brk(base + 2 * PAGE) == base + 2 * PAGE);
    show_status("read behind the end", in_child(read_it, base + 2 * PAGE));
    CHECK("brk grows again", raw_brk(base + 4 * PAGE) == base + 4 * PAGE);
    CHECK("with zeros again", all_bytes(base + 2 * PAGE, 2 * PAGE, 0));
    return finish();
}
