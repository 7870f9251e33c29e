/*
 * broken_file.c - a file that the disk does not give, or does not take, as programs see it.
 *
 * Reads every page of FILE (the first argument) by read() and through a mapping, which must agree
 * on what is there; then changes all of them and tells what msync(), fsync() and close() say.
 * By itself it makes a file and finds no fault; tests/test_errors.py runs it on a failing disk.
 */
#include "test.h"

#include <setjmp.h>

static sigjmp_buf after_fault;
static siginfo_t told;

static void
on_bus(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    told = *info;
    siglongjmp(after_fault, 1);
}

/* What a call says: "0", or the name of its errno. */
static const char *
says(long result)
{
    return result == -1 ? errno_name(errno) : "0";
}

/* 1: the page can be read through the mapping; 0: SIGBUS with its address; -1: another. */
static int
readable(volatile char *page)
{
    if (sigsetjmp(after_fault, 1) == 0) {
        (void)page[77];
        return 1;
    }
    return told.si_code == BUS_ADRERR && told.si_addr == page + 77 ? 0 : -1;
}

static void
read_all(int fd, char *m, size_t size)
{
    char page[PAGE];

    for (size_t at = 0; at < size; at += PAGE) {
        int mapped = readable(m + at);
        ssize_t n = pread(fd, page, PAGE, (off_t)at);
        int same = n == (ssize_t)PAGE && mapped == 1 && memcmp(page, m + at, PAGE) == 0;

        if (!same)
            say("page %zu: read() says %s, the mapping %s\n", at / PAGE, says(n),
                mapped == 0 ? "SIGBUS" : "something else");
    }
}

static void
write_all(int fd, char *m, size_t size)
{
    for (size_t at = 0; at < size; at += PAGE)
        if (readable(m + at) == 1)
            m[at] ^= 1;
    say("msync: %s\n", says(msync(m, size, MS_SYNC)));
    say("msync again: %s\n", says(msync(m, size, MS_SYNC)));
    for (size_t at = 0; at < size; at += PAGE)
        (void)!pwrite(fd, "changed", 7, (off_t)at);
    say("fsync: %s\n", says(fsync(fd)));
    say("fsync again: %s\n", says(fsync(fd)));
    say("close: %s\n", says(close(fd)));
}

int
main(int argc, char **argv)
{
    struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    const char *path = argc > 1 ? argv[1] : "whole";
    struct stat st;

    if (argc == 1) {
        char *bytes = pages(40);
        make_file(path, bytes, 40 * PAGE);
    }
    int fd = (int)MUST(open(path, O_RDWR));
    MUST(fstat(fd, &st));
    size_t size = (size_t)st.st_size;
    char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    MUST(m == MAP_FAILED ? -1 : 0);
    MUST(sigaction(SIGBUS, &sa, NULL));
    read_all(fd, m, size);
    write_all(fd, m, size);
    MUST(munmap(m, size));
    return finish();
}
