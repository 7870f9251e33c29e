/*
 * open_flags.c - O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW and access
 * modes, each granted and refused.
 */
/* also: tmpfs */
#include "test.h"

static off_t
size_of(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 ? st.st_size : -1;
}

static void
append(void)
{
    int fd = (int)MUST(open("a", O_CREAT | O_RDWR | O_APPEND, 0600));
    char buf[16] = "";

    MUST(write(fd, "one", 3));
    MUST(lseek(fd, 0, SEEK_SET));
    MUST(write(fd, "two", 3));
    show("O_APPEND leaves the offset at the end", lseek(fd, 0, SEEK_CUR));
    int other = (int)MUST(open("a", O_WRONLY));
    MUST(lseek(other, 0, SEEK_END));
    MUST(write(other, "333", 3));
    MUST(write(fd, "four", 4));
    MUST(pread(fd, buf, 15, 0));
    say("the file: %s\n", buf);
    show("the flags are told", fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND));
    MUST(fcntl(fd, F_SETFL, 0));
    MUST(lseek(fd, 0, SEEK_SET));
    MUST(write(fd, "X", 1));
    MUST(pread(fd, buf, 15, 0));
    say("without O_APPEND: %s\n", buf);
}

int
main(void)
{
    char c;

    show_ok("missing", open("f", O_RDONLY));
    show_ok("O_CREAT", open("f", O_CREAT | O_WRONLY, 0600));
    show_ok("O_CREAT when it is there", open("f", O_CREAT | O_WRONLY, 0600));
    show_ok("O_EXCL", open("f", O_CREAT | O_EXCL | O_WRONLY, 0600));
    make_file("f", "hello", 5);
    show_ok("O_WRONLY", open("f", O_WRONLY));
    show("keeps the bytes", size_of("f"));
    show_ok("O_TRUNC", open("f", O_WRONLY | O_TRUNC));
    show("drops them", size_of("f"));
    int ro = (int)MUST(open("f", O_RDONLY)), wo = (int)MUST(open("f", O_WRONLY));
    show("write to a reader", write(ro, "x", 1));
    show("read from a writer", read(wo, &c, 1));
    show("ftruncate a reader", ftruncate(ro, 0));
    MUST(mkdir("d", 0755));
    show_ok("a directory to read", open("d", O_RDONLY | O_DIRECTORY));
    show_ok("a directory to write", open("d", O_WRONLY));
    show_ok("create over a directory", open("d", O_CREAT | O_RDWR, 0600));
    show_ok("O_DIRECTORY on a file", open("f", O_RDONLY | O_DIRECTORY));
    show_ok("a file with a slash", open("f/", O_RDONLY));
    show_ok("create with a slash", open("new/", O_CREAT | O_WRONLY, 0600));
    MUST(symlink("f", "s"));
    show_ok("through a link", open("s", O_RDONLY));
    show_ok("O_NOFOLLOW", open("s", O_RDONLY | O_NOFOLLOW));
    show_ok("O_EXCL on a link", open("s", O_CREAT | O_EXCL | O_WRONLY, 0600));
    MUST(symlink("made", "dangling"));
    show_ok("create through a dangling link", open("dangling", O_CREAT | O_WRONLY, 0600));
    show("made it", size_of("made"));
    show("read a directory", read((int)MUST(open("d", O_RDONLY)), &c, 1));
    show("read a closed descriptor", read(99, &c, 1));
    append();
    return finish();
}
