/*
 * visit.c - a program to be looked at: it does little, and stops before and after.
 *
 * visit NUMBER: how many pages, which of them are used, and how, follow from the number.
 *
 * Checkpoints, each of them in look_here(), which a debugger stops at:
 * 1 a piece of memory, some of its pages used; 2 an address that will be used next;
 * 3 an address whose number was stored; 4 eight pages, 5 the same after a store to one of them;
 * 6 the same in a child, which has read them all and stored to some.
 */
/* build: -Og */
#include "labs/lab.h"

#define EIGHT 8

/* look_here - the @n-th stop; @at is what there is to look at. */
__attribute__((noinline)) static void
look_here(long n, const void *at)
{
    checkpoint(n, at, 0, 0);
}

__attribute__((noinline)) static char
load(const volatile char *at)
{
    return *at;
}

__attribute__((noinline)) static void
store(volatile char *at, char value)
{
    *at = value;
}

/* About a third of the pages are stored to, a third of the others only read from. */
static void
use_some(uint32_t number, char *area, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        if (chosen(number, k))
            store(area + k * PAGE, 1);
        else if (drawn(number, k, 3) == 0)
            (void)load(area + k * PAGE);
}

/* One fault: a load or a store, of a page that was never used or only read from. */
static void
one_fault(uint32_t number)
{
    char *at = pages(EIGHT) + drawn(number, 101, EIGHT * PAGE);
    uint32_t kind = drawn(number, 102, 3);

    if (kind == 2)
        (void)load(at);
    look_here(2, at);
    if (kind == 0)
        (void)load(at);
    else
        store(at, 1);
}

static void
one_number(uint32_t number)
{
    uint64_t *numbers = (uint64_t *)pages(EIGHT) + drawn(number, 103, EIGHT * PAGE / 8);

    *numbers = drawn(number, 104, 1000000);
    look_here(3, numbers);
}

/* One of the eight pages that use_some() has not stored to; if there is none, the last. */
static uint32_t
clean_page(uint32_t number)
{
    uint32_t k = drawn(number, 105, EIGHT);

    for (uint32_t tries = 1; tries < EIGHT && chosen(number + 1, k); tries++)
        k = (k + 1) % EIGHT;
    return k;
}

/* Eight pages whose entries are in one table, before and after a store, and shared with a child. */
static void
eight_pages(uint32_t number)
{
    char *eight = pages(2 * EIGHT);

    eight += -(uintptr_t)eight % (EIGHT * PAGE);
    use_some(number + 1, eight, EIGHT);
    look_here(4, eight);
    store(eight + clean_page(number) * PAGE, 2);
    look_here(5, eight);
    fill(eight, EIGHT, number);

    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        touch(eight, EIGHT);
        store(eight + drawn(number, 106, EIGHT) * PAGE, 3);
        use_some(number + 2, eight, EIGHT);
        look_here(6, eight);
        _exit(0);
    }
    CHECK("the child ends well", reap(pid) == 0);
}

int
main(int argc, char **argv)
{
    uint32_t number = seed_of(argc, argv), count = 40 + drawn(number, 100, 60);
    char *area = pages(count);

    use_some(number, area, count);
    look_here(1, area);
    one_fault(number);
    one_number(number);
    eight_pages(number);
    return finish();
}
