/*
 * tlb_swap.c - pages that are stored to again and again keep the last of it, while they go to
 * swap and come back.
 *
 * Two threads store to pages chosen by chance, each to words of its own, and look at what was
 * there before.  A store through an entry that a processor still remembers, after the page was
 * written out, would be lost; and what is read through one could be anybody's.
 * MIB mebibytes (the first argument, 1 without), ROUNDS stores (the second, 20000).
 */
#include "tlb.h"

static unsigned *words;   /* one a page and thread */
static unsigned *last[2]; /* what each thread stored last */
static size_t npages, rounds;

static unsigned
step(unsigned x)
{
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

/* Mostly of an eighth of the pages: processors remember those, and some are taken all the same. */
static size_t
choose(unsigned x)
{
    return x % 8 != 0 ? x / 8 % (npages / 8) : x / 8 % npages;
}

static void *
thread_main(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg, x = 88172645U + me;
    size_t wrong = 0;

    pin((int)me);
    for (size_t i = 0; i < rounds; i++) {
        x = step(x);
        size_t k = choose(x);
        unsigned *word = &words[k * PAGE / sizeof(*words) + me * 16];

        wrong += __atomic_load_n(word, __ATOMIC_RELAXED) != last[me][k];
        last[me][k] = x;
        __atomic_store_n(word, x, __ATOMIC_RELAXED);
    }
    return (void *)wrong;
}

int
main(int argc, char **argv)
{
    size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
    pthread_t thread;
    void *wrong;

    rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
    npages = size / PAGE;
    words = (unsigned *)pages(npages);
    for (int i = 0; i < 2; i++)
        last[i] = calloc(npages, sizeof(unsigned));
    MUST(-(pthread_create(&thread, NULL, thread_main, (void *)1) != 0));
    CHECK("this thread found all that it stored", thread_main(NULL) == NULL);
    MUST(-(pthread_join(thread, &wrong) != 0));
    CHECK("the other one too", wrong == NULL);
    size_t bad = 0;
    for (size_t k = 0; k < npages; k++)
        for (int i = 0; i < 2; i++)
            bad += words[k * PAGE / sizeof(*words) + i * 16] != last[i][k];
    CHECK("and it is all there in the end", bad == 0);
    return finish();
}
