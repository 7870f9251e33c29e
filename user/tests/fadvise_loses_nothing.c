/*
 * fadvise_loses_nothing.c - POSIX_FADV_DONTNEED drops what the disk has, and nothing else.
 *
 * Clean pages, dirty ones and mapped ones are given up; every byte is there afterwards.
 */
#include "test.h"

#define COUNT 40

static char text[COUNT * PAGE], got[COUNT * PAGE];
static int fd;

/* posix_fadvise() returns the errno. */
static const char *
advise(int which, off_t offset, off_t length, int advice)
{
    int e = posix_fadvise(which, offset, length, advice);

    return e == 0 ? "ok" : errno_name(e);
}

static int
all_there(void)
{
    return pread(fd, got, sizeof(got), 0) == sizeof(got) && memcmp(text, got, sizeof(got)) == 0;
}

int
main(void)
{
    int pipes[2];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7 + i / PAGE);
    make_file("f", text, sizeof(text));
    fd = (int)MUST(open("f", O_RDWR));
    say("dirty: %s\n", advise(fd, 0, 0, POSIX_FADV_DONTNEED));
    CHECK("what was not written yet is there", all_there());
    MUST(fsync(fd));
    say("clean: %s\n", advise(fd, 0, 0, POSIX_FADV_DONTNEED));
    CHECK("what was dropped comes back", all_there());

    char *map = mmap(NULL, sizeof(text), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(map == MAP_FAILED ? -1 : 0);
    map[3 * PAGE] = text[3 * PAGE] = 'm';
    say("mapped: %s\n", advise(fd, 0, 0, POSIX_FADV_DONTNEED));
    CHECK("the mapping shows all", memcmp(map, text, sizeof(text)) == 0);
    CHECK("the file too", all_there());
    say("a part: %s\n", advise(fd, 100, 5 * PAGE, POSIX_FADV_DONTNEED));
    say("far away: %s\n", advise(fd, INT64_MAX - 10, INT64_MAX, POSIX_FADV_DONTNEED));
    CHECK("all is still there", all_there());

    MUST(pipe(pipes));
    say("a pipe: %s\n", advise(pipes[0], 0, 0, POSIX_FADV_DONTNEED));
    say("no file: %s\n", advise(99, 0, 0, POSIX_FADV_DONTNEED));
    say("no advice: %s\n", advise(fd, 0, 0, 77));
    say("a negative length: %s\n", advise(fd, 0, -1, POSIX_FADV_DONTNEED));
    return finish();
}
