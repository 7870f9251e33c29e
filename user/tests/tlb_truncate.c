/*
 * tlb_truncate.c - the pages of a file that was cut are gone for every thread; and pages of a
 * file that nobody maps any more may leave memory and come back.
 */
/* also: tmpfs */
#include "tlb.h"

static char text[40 * PAGE];

static void
cut(int fd, size_t n, int flags, const char *how)
{
    say("%zu pages, %s\n", n, how);
    MUST(ftruncate(fd, 0));
    MUST(pwrite(fd, text, n * PAGE, 0) == (ssize_t)(n * PAGE) ? 0 : -1);
    char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    MUST(p == MAP_FAILED ? -1 : 0);
    both_store(p, n, 'a');
    MUST(ftruncate(fd, 0));
    take_frames(pages(n), n, 'x');
    CHECK("both get SIGBUS", both_find(p, n, -SIGBUS) == n);
    MUST(ftruncate(fd, (off_t)(n * PAGE)));
    CHECK("both find zeros when it is long again", both_find(p, n, 0) == n);
    CHECK("and what the other stores", other_stores(p, 'b') == 'b' && look(p) == 'b');
    MUST(munmap(p, n * PAGE));
}

/* Unmapped by the one, dropped from memory, its frames used otherwise. */
static void
drop(int fd, size_t n)
{
    say("%zu clean pages, dropped\n", n);
    MUST(pwrite(fd, text, n * PAGE, 0) == (ssize_t)(n * PAGE) ? 0 : -1);
    MUST(fsync(fd));
    char *p = mmap(NULL, n * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    MUST(p == MAP_FAILED ? -1 : 0);
    CHECK("both read them", both_find(p, n, 'f') == n);
    MUST(madvise(p, n * PAGE, MADV_DONTNEED));
    MUST(-(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0));
    take_frames(pages(n), n, 'x');
    CHECK("both read them again", both_find(p, n, 'f') == n);
    MUST(munmap(p, n * PAGE));
}

int
main(void)
{
    int fd = (int)MUST(open("f", O_CREAT | O_RDWR, 0644));

    other_start();
    memset(text, 'f', sizeof(text));
    for (int i = 0; i < SIZES; i++) {
        cut(fd, sizes[i], MAP_SHARED, "shared");
        cut(fd, sizes[i], MAP_PRIVATE, "private");
        drop(fd, sizes[i]);
    }
    other_leave();
    return finish();
}
