/*
 * brk_grows_and_refuses.c - the break may stand at any byte; a wish that cannot be
 * met leaves it where it is.
 *
 * The raw call returns the break as it is now, never an errno.
 */
#include "test.h"

static char *
raw_brk(void *end)
{
    return (char *)syscall(SYS_brk, end);
}

int
main(void)
{
    char *start = raw_brk(NULL);

    CHECK("asking does not move it", raw_brk(NULL) == start);
    CHECK("one byte more", raw_brk(start + 1) == start + 1);
    CHECK("back", raw_brk(start) == start);
    CHECK("1 MiB", raw_brk(start + (1 << 20)) == start + (1 << 20));
    start[0] = start[(1 << 20) - 1] = 'x';
    char *now = raw_brk(NULL);
    CHECK("below the heap's start is refused", raw_brk((void *)PAGE) == now);
    CHECK("the kernel half is refused", raw_brk((void *)0xffff800000000000) == now);
    CHECK("all ones are refused", raw_brk((void *)-1L) == now);
    char *at = (char *)(((uintptr_t)now + 64 * PAGE) & ~(PAGE - 1));
    void *wall = mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK("a mapping in the way", wall == at);
    CHECK("stops it", raw_brk(at + 2 * PAGE) == now);
    CHECK("but not below", raw_brk(now + PAGE) == now + PAGE);
    CHECK("the old bytes are there", start[0] == 'x' && start[(1 << 20) - 1] == 'x');
    CHECK("a small step keeps the page", raw_brk(start + 10) == start + 10 && start[0] == 'x');
    return finish();
}
