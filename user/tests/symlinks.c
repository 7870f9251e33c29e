/*
 * symlinks.c - short and long symbolic links, relative and absolute, chains and loops.
 *
 * ext2 keeps a target below 60 bytes in the inode, a longer one in a block.
 */
/* also: tmpfs */
#include "test.h"

static void
one_link(size_t length)
{
    char target[4096], got[4096], what[64];
    struct stat st;

    memset(target, '/', sizeof(target)); /* many slashes are one */
    memcpy(target, "./", 2);
    target[length - 1] = 'f';
    target[length] = '\0';
    unlink("l");
    MUST(symlink(target, "l"));
    MUST(lstat("l", &st));
    ssize_t n = readlink("l", got, sizeof(got));
    snprintf(what, sizeof(what), "target of %zu bytes", length);
    CHECK(what, n == (ssize_t)length && memcmp(got, target, length) == 0);
    CHECK("is its size", st.st_size == (off_t)length && S_ISLNK(st.st_mode));
    show_ok("leads to the file", open("l", O_RDONLY));
}

static void
chain(int count)
{
    char from[16], to[16], what[32];

    for (int i = 1; i <= count; i++) {
        snprintf(from, sizeof(from), "c%d", i);
        snprintf(to, sizeof(to), i == 1 ? "f" : "c%d", i - 1);
        unlink(from);
        MUST(symlink(to, from));
    }
    snprintf(what, sizeof(what), "a chain of %d", count);
    show_ok(what, open(from, O_RDONLY));
}

int
main(void)
{
    static const size_t lengths[] = {3, 10, 58, 59, 60, 61, 100, 1000, 4000};
    static char too_long[5000];
    char buf[8];

    make_file("f", "f", 1);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        one_link(lengths[i]);
    memset(too_long, 'x', sizeof(too_long) - 1);
    show("a target too long", symlink(too_long, "long"));
    show("an empty target", symlink("", "none"));
    show("over a file", symlink("x", "f"));
    show("cut by the buffer", readlink("l", buf, 4));
    show("no buffer", readlink("l", buf, 0));
    show("no link", readlink("f", buf, 4));
    chain(1);
    chain(5);
    chain(40);
    chain(41);
    MUST(symlink("y", "x"));
    MUST(symlink("x", "y"));
    show_ok("a loop", open("x", O_RDONLY));
    show("its lstat", lstat("x", &(struct stat){0}));
    show("its stat", stat("x", &(struct stat){0}));
    MUST(mkdir("d", 0755));
    MUST(symlink("../f", "d/up"));
    show_ok("relative to where the link is", open("d/up", O_RDONLY));
    MUST(symlink("d", "dir"));
    show_ok("a directory in the middle", open("dir/up", O_RDONLY));
    show("rmdir of a link", rmdir("dir"));
    show_ok("a link with a slash", open("dir/", O_RDONLY));
    return finish();
}
