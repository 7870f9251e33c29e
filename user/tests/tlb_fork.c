/*
 * tlb_fork.c - what a parent's thread stores right after a fork is not seen by the child.
 *
 * Both threads have stored to the pages before, so both remember them as writable.
 */
#include "tlb.h"

static void
fork_and_store(size_t n)
{
    char *p = pages(n + 1);
    struct gate go;

    say("%zu pages\n", n);
    gate_make(&go);
    both_store(p, n, 'a');
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        gate_wait(&go);
        for (size_t k = 0; k < n; k++)
            if (p[k * PAGE] != 'a')
                _exit(1);
        _exit(0);
    }
    size_t stored = 0;
    for (size_t k = 0; k < n; k++)
        stored +=
            k % 2 ? store(p + k * PAGE, 'b') == 'b' : other_stores(p + k * PAGE, 'b') == 'b';
    CHECK("both threads of the parent store", stored == n);
    CHECK("and find it", both_find(p, n, 'b') == n);
    gate_open(&go);
    show_status("the child, which must see nothing of it", reap(child));
    MUST(munmap(p, n * PAGE));
}

int
main(void)
{
    other_start();
    for (int i = 0; i < SIZES; i++)
        fork_and_store(sizes[i]);
    other_leave();
    return finish();
}
