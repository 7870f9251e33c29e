/*
 * cow_fork_chain.c - ten generations share the same pages, each changes one.
 *
 * Each generation must see its ancestors' changes up to its birth and none of its
 * descendants'.  A generation checks after its child has ended.
 */
#include "test.h"

#define DEPTH 10

static char *map;

static int
pages_are(int generation)
{
    for (int i = 0; i < DEPTH; i++)
        if (!all_bytes(map + i * PAGE, PAGE, i < generation ? 'A' + i : '.'))
            return 0;
    return 1;
}

static int
generation(int n)
{
    if (!pages_are(n))
        return 100 + n;
    if (n == DEPTH)
        return 0;
    memset(map + n * PAGE, 'A' + n, PAGE);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        _exit(generation(n + 1));
    int status = reap(pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
    return pages_are(n + 1) ? 0 : 50 + n;
}

int
main(void)
{
    map = pages(DEPTH);
    memset(map, '.', DEPTH * PAGE);
    show("generation in trouble (0 is none)", generation(0));
    return finish();
}
