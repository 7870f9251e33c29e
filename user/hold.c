/*
 * hold.c - holds memory, and waits for a line, so that one can look at it from outside.
 *
 *     hold MIB       every page of it has been stored to, from the first to the last
 */
#include "user/tour/tour.h"

int
main(int argc, char **argv)
{
    size_t n = argc == 2 ? strtoul(argv[1], NULL, 10) * 256 : 0;
    char line;

    if (n == 0) {
        dprintf(2, "usage: hold MIB\n");
        return 2;
    }
    char *p = pages(n);
    for (size_t k = 0; k < n; k++)
        p[k * PAGE] = (char)k;
    say("%p-%p, %zu pages; Enter ends it\n", (void *)p, (void *)(p + n * PAGE), n);
    (void)!read(0, &line, 1);
    return 0;
}
