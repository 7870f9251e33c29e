/*
 * mremap_at_the_limits.c - a mapping that shrinks, or keeps its length, needs no permission of
 * RLIMIT_AS or RLIMIT_MEMLOCK, though both are exhausted; one that grows does.
 */
#include "test.h"

static void
limit(int which, rlim_t bytes)
{
    struct rlimit r;

    MUST(getrlimit(which, &r));
    r.rlim_cur = bytes;
    MUST(setrlimit(which, &r));
}

/* As somebody whom limits concern. */
static void
unprivileged(void *unused)
{
    char *p = pages(8), *to = pages(8);

    (void)unused;
    MUST(munmap(p + 7 * PAGE, PAGE));
    MUST(munmap(to, 8 * PAGE));
    MUST(mlock(p, 6 * PAGE));
    if (geteuid() == 0)
        MUST(setresuid(1000, 1000, 1000));
    limit(RLIMIT_AS, PAGE);
    limit(RLIMIT_MEMLOCK, PAGE);
    show_ok("the same length", (long)mremap(p, 6 * PAGE, 6 * PAGE, 0));
    show_ok("a page more", (long)mremap(p, 6 * PAGE, 7 * PAGE, MREMAP_MAYMOVE));
    show_ok("a page less", (long)mremap(p, 6 * PAGE, 5 * PAGE, 0));
    show_ok("elsewhere",
            (long)mremap(p, 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
    show_ok("back, and less",
            (long)mremap(to, 5 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p));
}

int
main(void)
{
    show_status("all of it", in_child(unprivileged, NULL));
    return finish();
}
