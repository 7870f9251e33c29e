/*
 * patterns.c - touches memory in an order that shows what a replacement policy is good for.
 *
 *     patterns PATTERN MIB     and tells how often it had to wait for the disk
 *
 *     loop     all pages in turn, eight times over
 *     chance   any page, as often as that
 *     hot      an eighth of the pages by chance, three times of four; the rest in turn
 *
 * docs/swap.md compares the policies by it.  Every page is checked when it is touched.
 */
#include "user/tests/test.h"

#include <sys/resource.h>

#define TURNS 8

static unsigned
chance(unsigned below)
{
    static unsigned x = 2463534242U;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x % below;
}

static unsigned
next(const char *pattern, unsigned pages)
{
    static unsigned turn;

    if (strcmp(pattern, "chance") == 0)
        return chance(pages);
    if (strcmp(pattern, "hot") == 0 && chance(4) != 0)
        return chance(pages / 8);
    return turn++ % pages;
}

int
main(int argc, char **argv)
{
    const char *pattern = argc > 1 ? argv[1] : "";
    unsigned pages = argc > 2 ? (unsigned)atoi(argv[2]) * 256U : 0;
    struct rusage before, after;

    if (pages == 0 || (strcmp(pattern, "loop") != 0 && strcmp(pattern, "chance") != 0 &&
                       strcmp(pattern, "hot") != 0)) {
        fprintf(stderr, "usage: patterns loop|chance|hot MIB\n");
        return 2;
    }
    unsigned *m =
        mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    for (unsigned i = 0; i < pages; i++)
        m[i * (PAGE / sizeof(*m))] = i;
    getrusage(RUSAGE_SELF, &before);
    for (unsigned n = 0; n < TURNS * pages; n++) {
        unsigned i = next(pattern, pages);
        if (m[i * (PAGE / sizeof(*m))] != i) {
            say("page %u is not what was stored\n", i);
            return 1;
        }
    }
    getrusage(RUSAGE_SELF, &after);
    say("%s: %u touches of %u pages, %ld waits for the disk\n", pattern, TURNS * pages, pages,
        after.ru_majflt - before.ru_majflt);
    return 0;
}
