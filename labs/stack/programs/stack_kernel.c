/*
 * stack_kernel.c - the kernel writes below the stack for a system call: the stack grows as well.
 *
 * Checkpoints: 1 before, with the window below the stack; 2 when read() has filled the chosen
 * pages, with the number of calls that failed.
 */
#include "labs/stack/stack.h"

#define WINDOW 48

/* 1 if read() does not fill the page. */
static long
read_into(char *page, unsigned char byte)
{
    static char bytes[PAGE];
    int fd[2];

    memset(bytes, byte, PAGE);
    MUST(pipe(fd));
    MUST(write(fd[1], bytes, PAGE));
    ssize_t n = read(fd[0], page, PAGE);
    close(fd[0]);
    close(fd[1]);
    return n != (ssize_t)PAGE;
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *window = stack_now().start - WINDOW * PAGE;
    long refused = 0;

    checkpoint(1, window, WINDOW, 0);
    for (uint32_t k = WINDOW; k-- > 0;)
        if (chosen(seed, k))
            refused += read_into(window + k * PAGE, byte_of(seed, k));
    checkpoint(2, window, refused, 0);
    return finish();
}
