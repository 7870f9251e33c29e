/*
 * cow_kernel.c - the kernel writes into shared pages for a system call: that is a store, too.
 *
 * Checkpoints: 1 the parent before fork; 2 the child when it has read every page; 3 the child when
 * read() has filled the chosen ones; 4 the parent when the child has ended.
 */
#include "labs/lab.h"

#define COUNT 32

static void
read_into(char *page, const char *bytes)
{
    int fd[2];

    MUST(pipe(fd));
    MUST(write(fd[1], bytes, PAGE));
    CHECK("a page comes out of the pipe", read(fd[0], page, PAGE) == (ssize_t)PAGE);
    close(fd[0]);
    close(fd[1]);
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT), *from = pages(1);

    fill(p, COUNT, seed);
    checkpoint(1, p, COUNT, 0);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        touch(p, COUNT);
        checkpoint(2, p, COUNT, 0);
        for (uint32_t k = 0; k < COUNT; k++) {
            if (!chosen(seed, k))
                continue;
            memset(from, byte_of(seed + 1, k), PAGE);
            read_into(p + k * PAGE, from);
        }
        checkpoint(3, p, COUNT, 0);
        _exit(test_failures);
    }
    show_status("the child", reap(child));
    touch(p, COUNT);
    checkpoint(4, p, COUNT, 0);
    return finish();
}
