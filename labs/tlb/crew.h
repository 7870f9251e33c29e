/*
 * crew.h - a crew of threads, one on each CPU, that do what they are told without ever sleeping:
 * a CPU that idles forgets everything, and then there is nothing left to be found stale.
 */
#pragma once

#include "labs/lab.h"
#include "user/tests/tlb.h"

#define CREW 4
#define MOST 40 /* pages at a time */

/* What each found, for the probe: a byte, or minus the signal that came instead. */
static struct {
    uint64_t stored; /* it was to be stored, not read */
    char *start;
    uint64_t pages, crew;
    int64_t got[CREW][MOST];
} report = {.crew = CREW};

static struct {
    unsigned number; /* A: of the order, counted from 1; a change is the order to obey */
    unsigned obeyed; /* A: threads that have */
    uint32_t seed;
    void (*leave)(unsigned); /* what to do at last; NULL: not yet */
} order;

static pthread_t crew[CREW];

SHARED void
pin_to(unsigned cpu)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    MUST(sched_setaffinity(0, sizeof(one), &one));
}

SHARED int
online(void)
{
    cpu_set_t all;

    MUST(sched_getaffinity(0, sizeof(all), &all));
    return CPU_COUNT(&all);
}

/* Each has a place of its own in every page, so that nobody's store is another's. */
SHARED void
obey(unsigned me)
{
    for (uint32_t k = 0; k < report.pages; k++) {
        char *at = report.start + k * PAGE + me * 64;

        report.got[me][k] = report.stored ? store(at, byte_of(order.seed + me, k)) : look(at);
    }
}

static void *
crew_main(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;

    pin_to(me);
    for (unsigned number = 1; order.leave == NULL; number++) {
        __atomic_add_fetch(&order.obeyed, 1, __ATOMIC_RELEASE);
        while (__atomic_load_n(&order.number, __ATOMIC_ACQUIRE) != number)
            moment();
        if (order.leave == NULL)
            obey(me);
    }
    order.leave(me);
    return NULL;
}

SHARED void
await_crew(void)
{
    while (__atomic_load_n(&order.obeyed, __ATOMIC_ACQUIRE) != report.crew - 1)
        moment();
}

/* The whole crew, and this thread, stores to the pages or reads them. */
SHARED void
all_do(char *start, size_t n, int stored, uint32_t seed)
{
    report.start = start;
    report.pages = n;
    report.stored = (uint64_t)stored;
    order.seed = seed;
    order.obeyed = 0;
    __atomic_add_fetch(&order.number, 1, __ATOMIC_RELEASE);
    obey(0);
    await_crew();
}

/* The calling thread is member 0, on CPU 0. */
SHARED void
crew_start(void)
{
    catch_faults();
    report.crew = (uint64_t)online();
    for (uintptr_t i = 1; i < report.crew; i++)
        MUST(-(pthread_create(&crew[i], NULL, crew_main, (void *)i) != 0));
    pin_to(0);
    await_crew();
}

/* Each does this at last; the threads go on with it meanwhile. */
SHARED void
crew_leave(void (*leave)(unsigned))
{
    order.leave = leave;
    __atomic_add_fetch(&order.number, 1, __ATOMIC_RELEASE);
    leave(0);
    for (unsigned i = 1; i < report.crew; i++)
        pthread_join(crew[i], NULL);
}
