/*
 * futex_turns.c - two threads take turns ROUNDS times (the first argument, 5000 without), and
 * sleep meanwhile: no wake-up is lost, though each comes just when the other goes to sleep.
 */
#include "tlb.h"

#define FUTEX_WAIT 128 /* private */
#define FUTEX_WAKE 129

static unsigned turn, rounds, taken[2];

static void *
thread_main(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg, now;

    pin((int)me);
    for (unsigned i = 0; i < rounds; i++) {
        while ((now = __atomic_load_n(&turn, __ATOMIC_SEQ_CST)) % 2 != me)
            (void)syscall(SYS_futex, &turn, FUTEX_WAIT, now, NULL, NULL, 0);
        taken[me]++;
        __atomic_store_n(&turn, now + 1, __ATOMIC_SEQ_CST);
        (void)syscall(SYS_futex, &turn, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
    return NULL;
}

int
main(int argc, char **argv)
{
    pthread_t thread;

    rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 5000;
    MUST(-(pthread_create(&thread, NULL, thread_main, (void *)1) != 0));
    thread_main(NULL);
    pthread_join(thread, NULL);
    CHECK("each took every turn of its own", taken[0] == rounds && taken[1] == rounds);
    return finish();
}
