/*
 * file_changes_under_mapping.c - write() and ftruncate() show through a mapping.
 *
 * A private page that was not written yet follows the file; one that was written does
 * not.  The bytes behind a new end are zero when the file grows again.
 */
/* also: tmpfs */
#include "test.h"

int
main(void)
{
    static char old[2 * PAGE];

    memset(old, 'o', sizeof(old));
    make_file("f", old, sizeof(old));
    int fd = (int)MUST(open("f", O_RDWR));
    char *s = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    p[PAGE] = 'm';
    MUST(pwrite(fd, "new", 3, 10));
    MUST(pwrite(fd, "new", 3, PAGE + 10));
    CHECK("the shared mapping follows", memcmp(s + 10, "new", 3) == 0);
    CHECK("the page with a store of its own does not", memcmp(p + PAGE + 10, "ooo", 3) == 0);
    MUST(ftruncate(fd, 100));
    MUST(ftruncate(fd, 2 * PAGE));
    CHECK("shrunk and grown: the front is there", s[99] == 'o' && s[10] == 'n');
    CHECK("the rest is zero", all_bytes(s + 100, 2 * PAGE - 100, 0));
    char got[2 * PAGE];
    MUST(pread(fd, got, sizeof(got), 0));
    CHECK("read() agrees", memcmp(got, s, sizeof(got)) == 0);
    CHECK("the file's size", lseek(fd, 0, SEEK_END) == 2 * (off_t)PAGE);
    return finish();
}
