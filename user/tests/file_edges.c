/*
 * file_edges.c - calls on files with arguments at and beyond the edge of what they take.
 *
 * The largest offsets, bad vectors, O_PATH descriptors, wrong kinds of file, and a working
 * directory that is gone.
 */
/* also: tmpfs */
#include "test.h"

#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static char b[64];

static void
offsets(int fd)
{
    const off_t max = INT64_MAX;
    struct stat st;

    show("pread at the end of all", pread(fd, b, 1, max));
    show("pwrite at the end of all", pwrite(fd, "x", 1, max));
    show("pread of nothing there", pread(fd, b, 0, max));
    show("pwrite before the start", pwrite(fd, "x", 1, -1));
    show("ftruncate below zero", ftruncate(fd, -1));
    show("read nothing", read(fd, NULL, 0));
    show("read to a bad address", read(fd, (void *)1, 5));
    show("the offset stayed", lseek(fd, 0, SEEK_CUR));
    show("write from a bad address", write(fd, (void *)1, 5));
    MUST(fstat(fd, &st));
    show("the size stayed", (long)st.st_size);
    show("fallocate nothing", syscall(SYS_fallocate, fd, 0, 0L, 0L));
    show("fallocate before the start", syscall(SYS_fallocate, fd, 0, -1L, 10L));
}

static void
directory(void)
{
    int d = (int)MUST(open(".", O_RDONLY)), fd = (int)MUST(open("f", O_RDONLY));

    show("write a directory", write(d, "x", 1));
    show("pread a directory", pread(d, b, 1, 0));
    show("ftruncate a directory", ftruncate(d, 0));
    show("truncate a directory", truncate(".", 0));
    show("fsync a directory", fsync(d));
    show("fchdir to a file", fchdir(fd));
    show("getdents, too small", syscall(SYS_getdents64, d, b, 5));
    show("getdents of a file", syscall(SYS_getdents64, fd, b, 64));
    show("window size of a directory", ioctl(d, TIOCGWINSZ, b));
    show("seek a directory beyond all", lseek(d, -1, SEEK_SET));
    show("openat below a file", openat(fd, "x", O_RDONLY));
    show("openat below nothing", openat(99, "f", O_RDONLY));
    show_ok("an absolute path needs no directory", openat(99, "/dev/null", O_RDONLY));
}

static void
descriptors(int fd)
{
    show("dup2 to -1", dup2(fd, -1));
    show("dup2 far away", dup2(fd, 100000000));
    show("dup3 to itself", dup3(fd, fd, 0));
    show("an unknown fcntl", fcntl(fd, 9999, 0));
    show("F_DUPFD from -1", fcntl(fd, F_DUPFD, -1));
    show("F_DUPFD from far away", fcntl(fd, F_DUPFD, 100000000));
    int p = (int)MUST(open("f", O_PATH));
    show("O_PATH: read", read(p, b, 1));
    show("O_PATH: flock", flock(p, LOCK_SH));
    show("O_PATH: lseek", lseek(p, 0, SEEK_SET));
    show("O_PATH: ioctl", ioctl(p, FIONREAD, b));
    show("O_PATH: F_SETFL", fcntl(p, F_SETFL, 0));
    show("O_PATH: dup", close(dup(p)));
    void *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, p, 0);
    show("O_PATH: mmap", at == MAP_FAILED ? -1 : 0);
    show("O_PATH: fchdir", fchdir((int)MUST(open(".", O_PATH))));
}

static void
pipe_ends(int fd)
{
    struct iovec iov[3] = {{"ab", 2}, {NULL, 0}, {"cd", 2}};
    int p[2];

    MUST(pipe(p));
    show("seek a pipe", lseek(p[0], 0, SEEK_SET));
    show("pread a pipe", pread(p[0], b, 1, 0));
    show("read the writer", read(p[1], b, 1));
    show("write the reader", write(p[0], b, 1));
    show("ftruncate a pipe", ftruncate(p[1], 0));
    show("fsync a pipe", fsync(p[1]));
    show("sendfile from a pipe", sendfile(fd, p[0], NULL, 5));
    show("writev", writev(p[1], iov, 3));
    show("writev of less than none", writev(p[1], iov, -1));
    show("writev of too many", writev(p[1], iov, 1025));
    iov[1] = (struct iovec){"x", SIZE_MAX};
    show("writev of too much", writev(p[1], iov, 3));
    iov[1] = (struct iovec){(void *)1, 3};
    show("writev with a hole", writev(p[1], iov, 3));
    show("nothing came of that", read(p[0], b, sizeof(b)));
}

static void
nowhere(void)
{
    MUST(mkdir("g", 0755));
    MUST(chdir("g"));
    MUST(rmdir("../g"));
    show("create in what is gone", open("n", O_CREAT | O_RDWR, 0600));
    show("mkdir in it", mkdir("m", 0755));
    show("getcwd in it", syscall(SYS_getcwd, b, sizeof(b)));
    show("list it", syscall(SYS_getdents64, (int)MUST(open(".", O_RDONLY)), b, sizeof(b)));
    show("leave it", chdir(".."));
    show("back again", access("f", F_OK));
}

int
main(void)
{
    make_file("f", "hello", 5);
    int fd = (int)MUST(open("f", O_RDWR));

    offsets(fd);
    directory();
    descriptors(fd);
    pipe_ends(fd);
    nowhere();
    return finish();
}
