/*
 * tlb_cross.c - threads on every CPU ask all others at once: munmap() asks for the sake of a page
 * that went, membarrier() for the sake of a moment at which each CPU was in the kernel.
 *
 * Checkpoints: 1 before; 2 when all are through.
 */
#include "../crew.h"

#define ROUNDS 150

static void
ask(unsigned me)
{
    char *p = pages(1);

    for (unsigned n = 0; n < ROUNDS; n++) {
        MUST(syscall(SYS_membarrier, 1, 0));
        if ((n + me) % 4 == 0) {
            *p = 1;
            MUST(munmap(p, PAGE));
            p = pages(1);
        }
    }
    (void)__atomic_add_fetch(&order.obeyed, 1, __ATOMIC_RELEASE);
}

int
main(int argc, char **argv)
{
    (void)seed_of(argc, argv);
    crew_start();
    order.obeyed = 0;
    checkpoint(1, NULL, ROUNDS, 0);
    crew_leave(ask);
    checkpoint(2, NULL, order.obeyed, 0);
    return finish();
}
