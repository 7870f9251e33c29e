/*
 * modes_and_times.c - umask, chmod, the mode bits of what is created, and utimensat.
 */
/* also: tmpfs */
#include "test.h"

static void
mode(const char *what, const char *name)
{
    struct stat st;

    if (lstat(name, &st) == -1)
        show(what, -1);
    else
        say("%s: %06o\n", what, (unsigned)st.st_mode);
}

static void
times(void)
{
    struct timespec t[2] = {{1000000000, 0}, {1100000000, 0}};
    struct stat st, before;

    show("utimensat", utimensat(AT_FDCWD, "f", t, 0));
    MUST(stat("f", &st));
    say("%ld %ld\n", (long)st.st_atime, (long)st.st_mtime);
    t[0].tv_nsec = UTIME_OMIT;
    t[1].tv_sec = 1200000000;
    show("UTIME_OMIT", utimensat(AT_FDCWD, "f", t, 0));
    MUST(stat("f", &st));
    say("%ld %ld\n", (long)st.st_atime, (long)st.st_mtime);
    t[1].tv_nsec = UTIME_NOW;
    MUST(utimensat(AT_FDCWD, "f", t, 0));
    MUST(stat("f", &st));
    CHECK("UTIME_NOW is later", st.st_mtime > 1500000000 && st.st_atime == 1000000000);
    t[1].tv_nsec = 2000000000;
    show("bad nanoseconds", utimensat(AT_FDCWD, "f", t, 0));
    show("nobody", utimensat(AT_FDCWD, "nobody", NULL, 0));
    MUST(utimensat(AT_FDCWD, "f", (struct timespec[2]){{1, 0}, {1, 0}}, 0));
    MUST(stat("f", &before));
    int fd = (int)MUST(open("f", O_WRONLY));
    MUST(write(fd, "x", 1));
    MUST(fstat(fd, &st));
    CHECK("a write sets the time", st.st_mtime > 1500000000);
    MUST(utimensat(AT_FDCWD, ".", (struct timespec[2]){{1, 0}, {1, 0}}, 0));
    make_file("another", "", 0);
    MUST(stat(".", &st));
    CHECK("a new name sets the directory's", st.st_mtime > 1500000000);
}

int
main(void)
{
    struct stat st;

    show("the old umask", umask(022));
    close((int)MUST(open("f", O_CREAT | O_WRONLY, 0666)));
    mode("0666 under 022", "f");
    umask(077);
    MUST(mkdir("d", 0777));
    mode("directory under 077", "d");
    close((int)MUST(open("g", O_CREAT | O_WRONLY, 0777)));
    mode("file under 077", "g");
    umask(0);
    MUST(mkdir("e", 01777));
    mode("sticky directory under 0", "e");
    MUST(symlink("f", "s"));
    mode("a link", "s");
    show("chmod", chmod("f", 04751));
    mode("setuid", "f");
    show("chmod through a link", chmod("s", 0640));
    mode("the file", "f");
    mode("the link", "s");
    show("type bits do not count", chmod("f", 0100600 | 040000));
    mode("the file", "f");
    show("chmod nobody", chmod("nobody", 0600));
    show("umask keeps nine bits", (umask(07777), umask(022)));
    MUST(stat("f", &st));
    CHECK("owner", st.st_uid == getuid() && st.st_gid == getgid());
    CHECK("one link, block size", st.st_nlink == 1 && st.st_blksize >= 512);
    times();
    return finish();
}
