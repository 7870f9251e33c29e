/*
 * munmap_makes_holes.c - a hole in the middle, at both ends, across several mappings.
 *
 * What is outside the hole stays; what is inside is gone, and comes back as zeros
 * when it is mapped again.
 */
#include "test.h"

static void
read_it(void *at)
{
    volatile char c = *(char *)at;
    (void)c;
}

int
main(void)
{
    char *p = pages(8);

    for (int i = 0; i < 8; i++)
        memset(p + i * PAGE, '0' + i, PAGE);
    show("middle", munmap(p + 3 * PAGE, 2 * PAGE));
    show("the same again", munmap(p + 3 * PAGE, 2 * PAGE));
    show("first page", munmap(p, PAGE));
    show("last page, length 1", munmap(p + 7 * PAGE, 1));
    for (int i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof(name), "page %d", i);
        show_status(name, in_child(read_it, p + i * PAGE));
    }
    CHECK("page 2 kept its bytes", all_bytes(p + 2 * PAGE, PAGE, '2'));
    CHECK("page 5 kept its bytes", all_bytes(p + 5 * PAGE, PAGE, '5'));
    char *q = mmap(p + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK("the hole can be filled", q == p + 3 * PAGE);
    CHECK("with zeros", all_bytes(q, PAGE, 0));
    show("all of it, holes included", munmap(p, 8 * PAGE));
    show_status("page 3 at the end", in_child(read_it, p + 3 * PAGE));
    show("not aligned", munmap(p + 1, PAGE));
    show("length 0", munmap(p, 0));
    show("length wraps", munmap(p, -PAGE));
    show("kernel half", munmap((void *)0xffff800000000000, PAGE));
    show("past the top", munmap((void *)0x7ffffffff000, 2 * PAGE));
    return finish();
}
