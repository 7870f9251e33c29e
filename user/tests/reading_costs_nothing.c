/*
 * reading_costs_nothing.c - memory that is only read takes no frames, however much it is.
 *
 * 64 MiB of untouched pages read as zeros, on a machine that may have less.  A page that
 * is then written is a page of its own.
 */
#include "test.h"

#define N (64UL << 20 >> 12)

int
main(void)
{
    char *p = pages(N);
    unsigned long sum = 0;

    for (size_t i = 0; i < N; i++)
        sum += (unsigned char)p[i * PAGE + i % PAGE];
    CHECK("64 MiB of zeros", sum == 0);
    p[5 * PAGE] = 'x';
    CHECK("a store stays", p[5 * PAGE] == 'x');
    CHECK("in one page", p[4 * PAGE] == 0 && p[6 * PAGE] == 0);
    CHECK("the rest of that page is zero", all_bytes(p + 5 * PAGE + 1, PAGE - 1, 0));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        p[7 * PAGE] = 'c';
        _exit(p[5 * PAGE] == 'x' && p[8 * PAGE] == 0 ? 4 : 5);
    }
    show_status("child", reap(pid));
    CHECK("the child's store is its own", p[7 * PAGE] == 0);
    return finish();
}
