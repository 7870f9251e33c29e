/*
 * tlb_msync.c - a page of a file that was written back is written back again after the next
 * store, by whichever thread.
 *
 * If the store went through an entry that the processor still remembers as dirty, nobody would
 * learn of it, and the page, taken for clean, would be dropped with what was stored.
 */
#include "tlb.h"

#define N 20

static char text[N * PAGE];

/* What the disk has, when memory has forgotten the file. */
static size_t
pages_on_disk(int fd, int value)
{
    size_t right = 0;
    char c;

    MUST(-(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0));
    for (size_t k = 0; k < N; k++)
        right += pread(fd, &c, 1, (off_t)(k * PAGE)) == 1 && c == value;
    return right;
}

static void
store_all(char *p, int value, int by_other)
{
    for (size_t k = 0; k < N; k++)
        if (by_other)
            other_stores(p + k * PAGE, value);
        else
            store(p + k * PAGE, value);
}

static void
write_twice(int fd, const char *who, int by_other)
{
    char *p = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    say("%s\n", who);
    store_all(p, 'a', by_other);
    MUST(msync(p, N * PAGE, MS_SYNC));
    store_all(p, 'b', by_other);
    MUST(msync(p, N * PAGE, MS_SYNC));
    store_all(p, 'c', by_other);
    MUST(munmap(p, N * PAGE));
    CHECK("the last store is kept without a word", pages_on_disk(fd, 'c') == N);
    MUST(fsync(fd));
    CHECK("and is on the disk", pages_on_disk(fd, 'c') == N);
}

int
main(void)
{
    int fd = (int)MUST(open("f", O_CREAT | O_RDWR, 0644));

    other_start();
    MUST(write(fd, text, sizeof(text)) == sizeof(text) ? 0 : -1);
    MUST(fsync(fd));
    write_twice(fd, "this thread stores", 0);
    write_twice(fd, "the other one stores", 1);
    other_leave();
    return finish();
}
