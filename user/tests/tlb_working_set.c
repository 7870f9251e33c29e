/*
 * tlb_working_set.c - pages that are used all the time are seen to be used, while a stream of
 * others passes.
 *
 * That a page is used is told by its entry's A bit, which the processor sets when it walks the
 * table: not while it remembers the entry.  Who clears the bit must make it forget, or the pages
 * used most look as if nobody wanted them.  "Referenced" in smaps counts the bits.
 * A stream of MIB mebibytes (the first argument, 1 without).
 */
#include "tlb.h"

#define SET   64
#define TRIES 3

/*
 * 1: most of it counts as used right after it was.  Now and then somebody looks in between; but he
 * goes on to other pages then, and does not come back soon.
 */
static int
seen(const char *set)
{
    for (int i = 0; i < TRIES; i++) {
        for (size_t k = 0; k < SET; k++)
            if (*(volatile const char *)(set + k * PAGE) != (char)k)
                return 0;
        if (referenced(set) > (long)(SET * PAGE / 1024 / 2))
            return 1;
    }
    return 0;
}

/* In a process of its own: what is forgotten for its sake says nothing about the set. */
static void
pass(size_t stream)
{
    char *p = pages(stream / PAGE);

    pin(0);
    for (size_t at = 0; at < stream; at += PAGE)
        p[at] = 1;
    _exit(0);
}

int
main(int argc, char **argv)
{
    size_t stream = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
    char *set = pages(SET + 2) + PAGE;
    long unseen = 0;

    MUST(mprotect(set - PAGE, PAGE, PROT_NONE));
    MUST(mprotect(set + SET * PAGE, PAGE, PROT_NONE));
    for (size_t k = 0; k < SET; k++)
        set[k * PAGE] = (char)k;
    pid_t child = (pid_t)MUST(fork());
    if (child == 0)
        pass(stream);
    pin(1);
    while (waitpid(child, NULL, WNOHANG) == 0) {
        unseen += !seen(set);
        moment();
    }
    CHECK("the set is seen to be used", unseen == 0);
    return finish();
}
