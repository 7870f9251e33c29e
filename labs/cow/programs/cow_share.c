/*
 * cow_share.c - after fork parent and child have the same pages, and neither may write to one.
 *
 * Four kinds of memory: a mapping, the heap, the program's own data, the stack.
 *
 * Checkpoints: 1 the parent before fork, with a table of the pieces; 2 the parent after it;
 * 3 the child when it has read every page; 4 the parent when the child has ended.
 */
#include "labs/lab.h"

#define MAPPED 48
#define FEW    6

struct piece {
    char *start;
    uint64_t count;
};

static char data[FEW * PAGE] __attribute__((aligned(PAGE))) = {1};

static void
look_at(const struct piece *pieces, long n)
{
    for (long i = 0; i < n; i++)
        touch(pieces[i].start, (uint32_t)pieces[i].count);
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char stack[(FEW + 1) * PAGE];
    char *heap = (char *)MUST(syscall(SYS_brk, 0));
    struct piece pieces[] = {
        {pages(MAPPED), MAPPED},
        {(char *)(((uintptr_t)heap + PAGE - 1) & -PAGE), FEW},
        {data, FEW},
        {(char *)(((uintptr_t)stack + PAGE - 1) & -PAGE), FEW},
    };
    const long n = sizeof(pieces) / sizeof(pieces[0]);
    struct gate go;

    MUST(syscall(SYS_brk, heap + (FEW + 1) * PAGE));
    gate_make(&go);
    for (long i = 0; i < n; i++)
        fill(pieces[i].start, (uint32_t)pieces[i].count, seed);
    checkpoint(1, pieces, n, 0);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        gate_wait(&go);
        look_at(pieces, n);
        checkpoint(3, pieces, n, 0);
        _exit(0);
    }
    checkpoint(2, pieces, n, 0);
    gate_open(&go);
    show_status("the child", reap(child));
    look_at(pieces, n);
    checkpoint(4, pieces, n, 0);
    return finish();
}
