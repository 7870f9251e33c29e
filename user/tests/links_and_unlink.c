/*
 * links_and_unlink.c - a file lives as long as it has a name or is open.
 *
 * Link counts, unlink of open files, what link and unlink refuse.
 */
/* also: tmpfs */
#include "test.h"

static long
links(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 ? (long)st.st_nlink : -1;
}

int
main(void)
{
    char buf[16] = "";
    struct stat st;

    make_file("a", "hello", 5);
    show("one name", links("a"));
    show("link", link("a", "b"));
    show("two names", links("a"));
    int fd = (int)MUST(open("b", O_RDWR));
    show("unlink", unlink("a"));
    show("gone", links("a"));
    show("one again", links("b"));
    show("unlink while open", unlink("b"));
    MUST(fstat(fd, &st));
    show("no name", (long)st.st_nlink);
    show("still there to read", pread(fd, buf, 5, 0));
    show("and to write", pwrite(fd, " world", 6, 5));
    show("all of it", pread(fd, buf, 15, 0));
    say("%s\n", buf);
    close(fd);
    show("open by its name", open("b", O_RDONLY));
    MUST(mkdir("d", 0755));
    show("link a directory", link("d", "e"));
    show("unlink a directory", unlink("d"));
    show("unlink nothing", unlink("nobody"));
    show("unlink in nothing", unlink("nobody/x"));
    make_file("a", "a", 1);
    make_file("b", "b", 1);
    show("link over a file", link("a", "b"));
    show("link nothing", link("nobody", "c"));
    show("link into nothing", link("a", "nobody/c"));
    show("unlink with a slash", unlink("a/"));
    show("unlink a file's inside", unlink("a/x"));
    MUST(symlink("a", "s"));
    show("unlink a link", unlink("s"));
    show("leaves what it names", links("a"));
    show("unlink the empty name", unlink(""));
    return finish();
}
