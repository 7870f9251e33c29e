/*
 * stack_guard_gap.c - the stack stops growing 1 MiB above the next mapping.
 *
 * Otherwise a deep frame could step over the end of the stack into somebody's data.
 * The wall is put 4 MiB below the stack; half way is fine, just above it is not.
 */
#include "test.h"

#define MIB (1UL << 20)

static char *wall;

static void
touch(void *at)
{
    *(volatile char *)at = 1;
}

int
main(void)
{
    char here;

    wall = (char *)(((uintptr_t)launder(&here) - 4 * MIB) & ~(PAGE - 1));
    void *got = mmap(wall, PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK("a mapping below the stack", got == wall);
    *wall = 'w';
    show_status("3 MiB above it", in_child(touch, wall + 3 * MIB));
    show_status("2 MiB above it", in_child(touch, wall + 2 * MIB));
    show_status("within the gap", in_child(touch, wall + MIB / 2));
    show_status("the page right above it", in_child(touch, wall + PAGE));
    CHECK("the mapping is unhurt", *wall == 'w');
    MUST(munmap(wall, PAGE));
    show_status("without the mapping", in_child(touch, wall + MIB / 2));
    return finish();
}
