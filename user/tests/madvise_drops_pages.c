/*
 * madvise_drops_pages.c - MADV_DONTNEED gives private memory back at once: zeros for
 * anonymous pages, the file again for file pages.
 *
 * MADV_FREE may give it back later: each page is then old or zero, and a store after
 * it keeps the page.
 */
#include "test.h"

int
main(void)
{
    char *p = pages(8);

    memset(p, 'd', 8 * PAGE);
    show("DONTNEED", madvise(p + 2 * PAGE, 3 * PAGE, MADV_DONTNEED));
    CHECK("the pages are zero", all_bytes(p + 2 * PAGE, 3 * PAGE, 0));
    CHECK("the others are not",
          all_bytes(p, 2 * PAGE, 'd') && all_bytes(p + 5 * PAGE, PAGE, 'd'));
    p[2 * PAGE] = 'n';
    CHECK("and can be written again", p[2 * PAGE] == 'n');

    make_file("f", "from the file", 14);
    int fd = (int)MUST(open("f", O_RDONLY));
    char *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    strcpy(q, "my own");
    show("DONTNEED on a private file page", madvise(q, PAGE, MADV_DONTNEED));
    CHECK("the file is back", strcmp(q, "from the file") == 0);

    show("FREE", madvise(p, 2 * PAGE, MADV_FREE));
    CHECK("old or zero", all_bytes(p, PAGE, 'd') || all_bytes(p, PAGE, 0));
    p[PAGE] = 'k';
    CHECK("a store stays", p[PAGE] == 'k');
    show("WILLNEED", madvise(p, PAGE, MADV_WILLNEED));
    show("not aligned", madvise(p + 1, PAGE, MADV_DONTNEED));
    show("unknown advice", madvise(p, PAGE, 9999));
    show("length 0", madvise(p, 0, MADV_DONTNEED));
    show("length wraps", madvise(p, -1UL, MADV_DONTNEED));
    MUST(munmap(p + PAGE, PAGE));
    show("a hole inside", madvise(p, 3 * PAGE, MADV_DONTNEED));
    CHECK("the rest was done", p[0] == 0 && p[2 * PAGE] == 0);
    return finish();
}
