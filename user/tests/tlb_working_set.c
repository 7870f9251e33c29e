/*
 * tlb_working_set.c - pages that are used all the time stay, while a stream of others passes.
 *
 * That a page is used is seen by its entry's A bit, which the processor sets when it walks the
 * table: not while it remembers the entry.  Who clears the bit must make it forget, or the pages
 * used most look as if nobody wanted them.
 * A stream of MIB mebibytes (the first argument, 1 without).
 */
#include "tlb.h"

#include <sys/resource.h>

#define SET 64

static long
major_faults(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_majflt;
}

static unsigned
use(const char *set)
{
    unsigned sum = 0;

    for (size_t k = 0; k < SET; k++)
        sum += (unsigned char)*(volatile const char *)(set + k * PAGE);
    return sum;
}

int
main(int argc, char **argv)
{
    size_t stream = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
    char *set = pages(SET), *p = pages(stream / PAGE);
    unsigned right = 0;

    pin(0);
    for (size_t k = 0; k < SET; k++)
        set[k * PAGE] = (char)k;
    long before = major_faults();
    for (size_t at = 0; at < stream; at += PAGE) {
        p[at] = 1;
        right += use(set) == SET * (SET - 1) / 2;
    }
    CHECK("the set was right all the time", right == stream / PAGE);
    long faults = major_faults() - before;
    CHECK("it did not have to be read again and again", faults < SET);
    if (argc > 2)
        say("faults: %ld\n", faults);
    return finish();
}
