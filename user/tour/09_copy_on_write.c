/*
 * Chapter 9: fork() copies no page; the first store to a shared one does.
 */
#include "tour.h"

#define COUNT 1024 /* pages: 4 MiB */

static char *p;

/* Prints how many pages are shared, and two of their frames. Returns how many. */
static size_t
show(const char *what, long cost)
{
    size_t here = count_pages(p, COUNT, PRESENT | SWAPPED);
    size_t together = here - count_pages(p, COUNT, ALONE | SWAPPED);

    say("    %-32s %5zu  %6zu  %6ld  %8s  %8s\n", what, here, together, cost, frame_text(p),
        frame_text(p + PAGE));
    return together;
}

int
main(void)
{
    size_t *seen = shared();

    p = pages(COUNT);
    memset(p, 'p', COUNT * PAGE);
    begin(9);
    say("A process that has filled 4 MiB forks. Its child stores to 3 of the pages, the\n"
        "first one among them.\n\n"
        "                                     pages  shared  faults  frames of two pages\n");
    show("parent, before", 0);
    pid_t child = fork();
    must(child != -1, "fork");
    if (child == 0) {
        seen[0] = show("child, after fork", 0);
        long before = faults();
        p[0] = p[2 * PAGE] = p[900 * PAGE] = 'c';
        seen[1] = show("child, after its stores", faults() - before);
        _exit(0);
    }
    ended(child);
    show("parent, when the child has ended", 0);
    long before = faults();
    memset(p, 'P', COUNT * PAGE);
    show("parent, after a store to each", faults() - before);
    say("\nAfter fork both have all pages, and neither may write to one: a store faults.\n"
        "If the page is shared, the writer gets a copy of this one page: 12 KiB in all,\n"
        "not 4 MiB. If nobody shares it any more, its owner may simply write again.\n");
    return seen[0] == COUNT && seen[1] == COUNT - 3 ? 0 : 1;
}
