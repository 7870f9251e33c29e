/*
 * stack_promise.c - when all memory is promised to somebody, a stack cannot grow either.
 *
 * For a machine with overcommit=strict.
 *
 * Checkpoints: 1 when nothing more is promised and the page below the stack was stored to; 2 when
 * one page was given back: the lowest page allowed, and what edge() said.
 */
#include "labs/stack/stack.h"

/* Maps memory that nobody will touch, as long as there is a promise for it; the last page of it. */
static char *
take_all(void)
{
    char *last = NULL;

    for (size_t size = 1024 * PAGE; size >= PAGE; size /= 2) {
        char *p;

        while ((p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                         0)) != MAP_FAILED)
            last = p + size - PAGE;
    }
    return last;
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *start = stack_now().start, *page = take_all();

    catch_refusals();
    MUST(page == NULL ? -1 : 0);
    long refused = store(start - PAGE, byte_of(seed, 0));
    checkpoint(1, start, refused, 0);
    MUST(munmap(page, PAGE));
    refused = edge(start - PAGE, byte_of(seed, 1));
    checkpoint(2, start - PAGE, refused, 0);
    return finish();
}
