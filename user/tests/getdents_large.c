/*
 * getdents_large.c - a directory of 500 files is listed whole, each name once, also with
 * a small buffer, after removals, and from a rewound descriptor.
 */
/* also: tmpfs */
#include "test.h"

#include <dirent.h>

#define N 500

static void
count(const char *what, int expected_extra)
{
    static int seen[N];
    int dots = 0, other = 0, twice = 0, found = 0, types = 0;
    DIR *dir = opendir("d");
    struct dirent *e;

    memset(seen, 0, sizeof(seen));
    while ((e = readdir(dir)) != NULL) {
        if (e->d_name[0] == '.') {
            dots++;
        } else if (strncmp(e->d_name, "file-", 5) == 0) {
            int i = atoi(e->d_name + 5);
            twice += seen[i]++;
            found++;
            types += e->d_type == DT_REG;
        } else {
            other++;
        }
    }
    closedir(dir);
    say("%s: %d files, %d twice, %d dots, %d others, all regular: %s\n", what, found, twice,
        dots, other - expected_extra, types == found ? "yes" : "no");
}

static int
small_buffer(size_t size)
{
    static char buf[1024] __attribute__((aligned(8)));
    int fd = (int)MUST(open("d", O_RDONLY)), names = 0;
    long n;

    while ((n = syscall(SYS_getdents64, fd, buf, size)) > 0)
        for (long at = 0; at < n; at += ((struct dirent *)(buf + at))->d_reclen)
            names++;
    if (n < 0)
        names = -errno;
    close(fd);
    return names;
}

int
main(void)
{
    char name[64];

    MUST(mkdir("d", 0755));
    show("names in an empty one", small_buffer(1024));
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "d/file-%d-with-a-longer-name", i);
        make_file(name, "", 0);
    }
    count("all", 0);
    show("names through 1 KiB", small_buffer(1024));
    show("names through 80 bytes", small_buffer(80));
    show("through 8 bytes", small_buffer(8) == -EINVAL);
    for (int i = 0; i < N; i += 3) {
        snprintf(name, sizeof(name), "d/file-%d-with-a-longer-name", i);
        MUST(unlink(name));
    }
    count("without every third", 0);
    MUST(mkdir("d/sub", 0755));
    MUST(symlink("x", "d/link"));
    count("with two others", 2);
    show("getdents of a file",
         syscall(SYS_getdents64, (int)MUST(open("d/file-1-with-a-longer-name", O_RDONLY)), name,
                 64));
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "d/file-%d-with-a-longer-name", i);
        unlink(name);
    }
    count("empty again", 2);
    MUST(rmdir("d/sub"));
    MUST(unlink("d/link"));
    show("rmdir", rmdir("d"));
    return finish();
}
