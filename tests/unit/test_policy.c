/*
 * test_policy.c - the replacement policies on reference strings whose answers are known.
 */
#include "mm/policy_clock.c"
#include "mm/policy_fifo.c"
#include "mm/policy_lru.c"
#include "mm/policy_random.c"
#include "mm/policy_reuse.c"
#include "tests/unit/host.h"

#define PAGES 64

static struct frame frames[PAGES];
static bool accessed[PAGES];
static unsigned present; /* frames that hold a page */

struct frame *
frame_nth(uint64_t n)
{
    return &frames[n % PAGES];
}

void
random_bytes(void *buf, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)buf)[i] = (uint8_t)host_random();
}

bool
rmap_test_clear_accessed(struct frame *f, struct tlb_batch *b UNUSED)
{
    bool used = accessed[f - frames];

    accessed[f - frames] = false;
    return used;
}

static void
enter(const struct policy *p, struct frame *f)
{
    f->queued = true;
    p->enter(f);
    present++;
}

static void
leave(const struct policy *p, struct frame *f)
{
    f->queued = false;
    p->leave(f);
    present--;
}

static void
evict(const struct policy *p)
{
    for (unsigned step = 0; step < 2 * present + 2; step++) {
        struct frame *f = p->next(NULL);

        CHECK(f != NULL && f->queued);
        if (p->spare(f, NULL))
            continue;
        leave(p, f);
        return;
    }
    CHECK(!"two turns over idle pages must find one");
}

static void
empty(const struct policy *p)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (frames[i].queued)
            leave(p, &frames[i]);
    CHECK(p->next(NULL) == NULL);
}

/* Runs the reference string, a letter for each page, with so many frames: page faults. */
static unsigned
faults(const struct policy *p, const char *string, unsigned memory)
{
    unsigned n = 0;

    for (; *string != '\0'; string++) {
        unsigned page = (unsigned)(*string - '0');

        if (!frames[page].queued) {
            n++;
            if (present == memory)
                evict(p);
            enter(p, &frames[page]);
        }
        accessed[page] = true;
    }
    empty(p);
    return n;
}

/* One page in @hot is used between any two of a long run of others: how often it was missing. */
static unsigned
misses_of_a_busy_page(const struct policy *p)
{
    unsigned n = 0;

    for (unsigned i = 0; i < 4000; i++) {
        unsigned page = i % 2 == 0 ? 0 : 1 + i / 2 % 40;

        if (!frames[page].queued) {
            n += page == 0;
            if (present == 20)
                evict(p);
            enter(p, &frames[page]);
        }
        accessed[page] = true;
    }
    empty(p);
    return n;
}

/* Many pages that may not go and one that may: it is found, in bounded time, wherever it is. */
static void
finds_the_only_one(const struct policy *p)
{
    for (unsigned lone = 0; lone < PAGES; lone++) {
        unsigned steps = 0;

        for (unsigned i = 0; i < PAGES; i++)
            enter(p, &frames[i]);
        for (struct frame *f; (f = p->next(NULL)) != &frames[lone] || p->spare(f, NULL);)
            CHECK(++steps < 4 * PAGES);
        empty(p);
    }
}

/* The same with half the pages active: those that were used most are the last hope. */
static void
finds_an_active_one(const struct policy *p)
{
    unsigned steps = 0;

    for (unsigned i = 0; i < PAGES; i++)
        enter(p, &frames[i]);
    for (unsigned step = 0; step < 3 * PAGES; step++) {
        accessed[0] = true;
        (void)p->spare(p->next(NULL), NULL);
    }
    for (struct frame *f; (f = p->next(NULL)) != &frames[0] || p->spare(f, NULL);)
        CHECK(++steps < 4 * PAGES);
    empty(p);
}

int
main(void)
{
    static const struct policy *const all[] = {&policy_fifo, &policy_clock, &policy_lru,
                                               &policy_random, &policy_reuse};
    char loop[401] = "";

    for (unsigned i = 0; i < PAGES; i++) {
        list_init(&frames[i].link);
        frames[i].index = i;
    }

    /* Belady's anomaly: FIFO has more faults with more memory. */
    CHECK(faults(&policy_fifo, "123412512345", 3) == 9);
    CHECK(faults(&policy_fifo, "123412512345", 4) == 10);
    /* A textbook's: A. Silberschatz et al., Operating System Concepts, "FIFO Page Replacement". */
    CHECK(faults(&policy_fifo, "70120304230321201701", 3) == 15);

    CHECK(misses_of_a_busy_page(&policy_fifo) > 50);
    CHECK(misses_of_a_busy_page(&policy_clock) <= 2); /* its first turn finds every bit set */
    CHECK(misses_of_a_busy_page(&policy_lru) <= 2);
    CHECK(misses_of_a_busy_page(&policy_random) > 20);
    CHECK(misses_of_a_busy_page(&policy_reuse) <= 3);

    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        finds_the_only_one(all[i]);
        finds_an_active_one(all[i]);
        CHECK(faults(all[i], "1234123412341234", 4) == 4);
        CHECK(present == 0);
    }
    /* A loop over one page more than memory: clock misses every time, random does not. */
    CHECK(faults(&policy_clock, "123451234512345123451234512345123451234512345", 4) == 45);
    CHECK(faults(&policy_random, "123451234512345123451234512345123451234512345", 4) < 40);
    for (unsigned i = 0; i < 400; i++) /* a larger one, as its queues want some length */
        loop[i] = (char)('0' + i % 40);
    CHECK(faults(&policy_clock, loop, 32) == 400);
    CHECK(faults(&policy_reuse, loop, 32) < 200);
    printf("ok\n");
    return 0;
}
