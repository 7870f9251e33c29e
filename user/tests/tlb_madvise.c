/*
 * tlb_madvise.c - pages that were given up are fresh to every thread; those of a file or of
 * shared memory come back as they were.
 */
/* also: tmpfs */
#include "tlb.h"

static char *
map(size_t n, int flags, int fd)
{
    void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

static void
give_up(const char *what, char *p, size_t n, int after)
{
    size_t seen = 0;

    say("%zu pages %s\n", n, what);
    both_store(p, n, 'a');
    MUST(madvise(p, n * PAGE, MADV_DONTNEED));
    take_frames(pages(n), n, 'x');
    CHECK("both see what there should be", both_find(p, n, after) == n);
    for (size_t k = 0; k < n; k++)
        seen += store(p + k * PAGE, 'b') == 'b' && other_looks(p + k * PAGE) == 'b' &&
                other_stores(p + k * PAGE, 'c') == 'c' && look(p + k * PAGE) == 'c';
    CHECK("and what the other stores", seen == n);
    MUST(munmap(p, n * PAGE));
}

int
main(void)
{
    static char text[40 * PAGE];

    other_start();
    memset(text, 'f', sizeof(text));
    make_file("f", text, sizeof(text));
    int fd = (int)MUST(open("f", O_RDWR));
    for (int i = 0; i < SIZES; i++) {
        size_t n = sizes[i];

        give_up("of its own", map(n, MAP_PRIVATE | MAP_ANONYMOUS, -1), n, 0);
        give_up("of shared memory", map(n, MAP_SHARED | MAP_ANONYMOUS, -1), n, 'a');
        give_up("of a file, privately", map(n, MAP_PRIVATE, fd), n, 'f');
    }
    give_up("of a file", map(40, MAP_SHARED, fd), 40, 'a');
    other_leave();
    return finish();
}
