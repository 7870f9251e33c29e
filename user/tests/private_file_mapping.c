/*
 * private_file_mapping.c - MAP_PRIVATE reads the file and keeps its stores to itself.
 *
 * Also: a page offset, the zeros behind the end of the file in its last page, and
 * that pages not yet written follow the file.
 */
/* also: tmpfs */
#include "test.h"

static char want[3 * PAGE];

int
main(void)
{
    for (size_t i = 0; i < sizeof(want); i++)
        want[i] = (char)(i * 7 + i / PAGE);
    make_file("f", want, 2 * PAGE + 100);
    int fd = (int)MUST(open("f", O_RDWR));
    char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    MUST(p == MAP_FAILED ? -1 : 0);
    CHECK("the pages hold the file", memcmp(p, want, 2 * PAGE + 100) == 0);
    CHECK("zeros follow the end", all_bytes(p + 2 * PAGE + 100, PAGE - 100, 0));

    p[5] = 'X';
    p[2 * PAGE + 50] = 'Y';
    char got[3 * PAGE];
    MUST(pread(fd, got, sizeof(got), 0));
    CHECK("a store does not reach the file", memcmp(got, want, 2 * PAGE + 100) == 0);
    CHECK("but stays in the mapping", p[5] == 'X' && p[2 * PAGE + 50] == 'Y');

    char *q = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    CHECK("an offset of one page starts there", memcmp(q, want + PAGE, PAGE) == 0);
    CHECK("a second mapping does not see the store", memcmp(q - 0, want + PAGE, PAGE) == 0);
    close(fd);
    CHECK("the mapping outlives the descriptor", memcmp(q, want + PAGE, PAGE) == 0);
    unlink("f");
    CHECK("and the name", memcmp(p + PAGE, want + PAGE, PAGE) == 0);
    return finish();
}
