/*
 * mremap_grows_and_moves.c - mremap in place, to another place, smaller, and to a
 * fixed place; the bytes go along.
 *
 * Old addresses are gone after a move; what the new end adds is zero.
 */
#include "test.h"

static void
read_it(void *at)
{
    volatile char c = *(char *)at;
    (void)c;
}

/*
 * Of 74 pages 32 go right behind the others.  They begin where a node of the kernel's table of
 * pages may begin, and the next one holds what is cut off and what comes, and nothing else.
 */
static void
shrinks_to_behind_itself(void)
{
    size_t node = 64 * PAGE;
    char *p = (char *)(((uintptr_t)pages(4 * 64) + node - 1) & ~(node - 1));
    char *to = p + 74 * PAGE;

    memset(p, 'n', 74 * PAGE);
    char *q = mremap(p, 74 * PAGE, 32 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    CHECK("moves to behind what is cut off", q == to);
    CHECK("with its bytes, too", all_bytes(to, 32 * PAGE, 'n') && to[32 * PAGE] == 0);
    show_status("what was cut off is gone", in_child(read_it, p + 64 * PAGE));

    MUST(munmap(to + 8 * PAGE, PAGE));
    MUST(mprotect(to + 16 * PAGE, PAGE, PROT_READ));
    q = mremap(to, 32 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p);
    CHECK("what is cut off may be many regions", q == p && all_bytes(p, 4 * PAGE, 'n'));
    show_status("they are all gone", in_child(read_it, to + 16 * PAGE));
}

int
main(void)
{
    char *p = pages(8);

    memset(p, 'm', 2 * PAGE);
    MUST(munmap(p + 2 * PAGE, 6 * PAGE));
    char *q = mremap(p, 2 * PAGE, 4 * PAGE, 0);
    CHECK("grows in place where there is room", q == p);
    CHECK("old bytes stay", all_bytes(p, 2 * PAGE, 'm'));
    CHECK("new ones are zero", all_bytes(p + 2 * PAGE, 2 * PAGE, 0));
    q = mremap(p, 4 * PAGE, 2 * PAGE, 0);
    CHECK("shrinks in place", q == p);
    show_status("the rest is gone", in_child(read_it, p + 2 * PAGE));

    char *wall =
        mmap(p + 2 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    MUST(wall == MAP_FAILED ? -1 : 0);
    q = mremap(p, 2 * PAGE, 4 * PAGE, 0);
    show_ok("no room and not allowed to move", (long)q);
    q = mremap(p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
    CHECK("moves when it may", q != MAP_FAILED && q != p);
    CHECK("with its bytes", all_bytes(q, 2 * PAGE, 'm'));
    CHECK("and zeros", all_bytes(q + 2 * PAGE, 2 * PAGE, 0));
    show_status("the old place is gone", in_child(read_it, p));

    char *target = pages(4);
    memset(target, 't', 4 * PAGE);
    char *r = mremap(q, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    CHECK("moves to a fixed place", r == target);
    CHECK("which it replaces", all_bytes(r, 2 * PAGE, 'm') && r[3 * PAGE] == 0);
    r[0] = 'z';
    CHECK("and can be written", r[0] == 'z');
    shrinks_to_behind_itself();
    return finish();
}
