/*
 * unmapping_at_the_limit.c - when a process has as many regions as it may, an edge can still be
 * unmapped, and a whole region; a hole, which makes two of one, cannot.
 */
#include "test.h"

#define TRIES 2000000UL /* more than any limit that is in use */

/* How many of the four pages at @p are mapped, one letter for each. */
static void
tell(const char *what, char *p)
{
    unsigned char state;

    say("%s: ", what);
    for (size_t i = 0; i < 4; i++)
        say("%c", mincore(p + i * PAGE, PAGE, &state) == 0 ? 'x' : '.');
    say("\n");
}

int
main(void)
{
    char *mine = pages(4), *other = pages(4);
    size_t size = 2 * TRIES * PAGE;
    char *room =
        mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t n = 0;

    MUST(room == MAP_FAILED ? -1 : 0);
    MUST(mprotect(other, 4 * PAGE, PROT_READ)); /* lest the two are one */
    while (n < TRIES && mprotect(room + (2 * n + 1) * PAGE, PAGE, PROT_READ) == 0)
        n++;
    CHECK("there is a limit", n < TRIES);
    show("one region more", mprotect(room + (2 * n + 1) * PAGE, PAGE, PROT_READ));

    show("a hole", munmap(mine + PAGE, PAGE));
    tell("nothing has changed", mine);
    show("the last page", munmap(mine + 3 * PAGE, PAGE));
    show("the first page", munmap(mine, PAGE));
    tell("the middle is left", mine);
    show("all of it", munmap(mine, 4 * PAGE));
    tell("and is gone", mine);
    show("now there is room for a hole", munmap(other + PAGE, PAGE));
    tell("here", other);
    return finish();
}
