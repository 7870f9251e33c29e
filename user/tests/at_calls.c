/*
 * at_calls.c - openat, mkdirat, unlinkat, newfstatat and faccessat from a directory's
 * descriptor.
 */
/* also: tmpfs */
#include "test.h"

int
main(void)
{
    struct stat st;

    MUST(mkdir("d", 0755));
    int d = (int)MUST(open("d", O_RDONLY | O_DIRECTORY));
    int f = (int)MUST(open("plain", O_CREAT | O_RDWR, 0600));
    show_ok("openat creates there", openat(d, "f", O_CREAT | O_WRONLY, 0644));
    show("it is there", access("d/f", F_OK));
    show("mkdirat", mkdirat(d, "sub", 0755));
    show("fstatat", fstatat(d, "f", &st, 0));
    show("faccessat2", syscall(439, d, "f", R_OK, 0));
    show("AT_FDCWD", fstatat(AT_FDCWD, "d/f", &st, 0));
    show("an absolute path does not care", fstatat(-5, "/", &st, 0));
    show("a bad descriptor", fstatat(99, "f", &st, 0));
    show("a file for a directory", fstatat(f, "x", &st, 0));
    show("AT_EMPTY_PATH", fstatat(f, "", &st, AT_EMPTY_PATH));
    show("without it", fstatat(f, "", &st, 0));
    MUST(symlink("nobody", "d/s"));
    show("a dangling link", fstatat(d, "s", &st, 0));
    show("AT_SYMLINK_NOFOLLOW", fstatat(d, "s", &st, AT_SYMLINK_NOFOLLOW));
    show("unlinkat a directory", unlinkat(d, "sub", 0));
    show("AT_REMOVEDIR", unlinkat(d, "sub", AT_REMOVEDIR));
    show("AT_REMOVEDIR on a file", unlinkat(d, "f", AT_REMOVEDIR));
    show("unlinkat", unlinkat(d, "f", 0));
    show("bad flags", unlinkat(d, "f", 0x4000));
    show("the dots", fstatat(d, "../plain", &st, 0));
    MUST(unlinkat(d, "s", 0));
    MUST(rmdir("d"));
    show_ok("openat in a removed one", openat(d, "f", O_CREAT | O_WRONLY, 0644));
    return finish();
}
