/*
 * Chapter 13: two processors remember, and one has to ask the other to forget.
 * Counted in /proc/vmstat, by Linux too if it was built with CONFIG_DEBUG_TLBFLUSH.
 */
#include "tour.h"

#include <pthread.h>
#include <sched.h>

#define PAGES 8

enum what { NOTHING, RUNS, SLEEPS };
static int wanted, arrived, processors, bell[2]; /* the first two atomic; a pipe */

static void
stand_on(int processor)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    (void)sched_setaffinity(0, sizeof(set), &set);
}

static void *
second(void *p)
{
    stand_on(processors - 1);
    char c = *(volatile char *)p; /* now this processor remembers the first page too */
    __atomic_store_n(&arrived, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE) == RUNS)
        sched_yield();
    (void)!read(bell[0], &c, 1);
    return NULL;
}

static void
line(const char *text, enum what other)
{
    char *p = pages(PAGES);
    pthread_t thread;

    memset(p, 1, PAGES * PAGE);
    wanted = (int)other;
    arrived = other == NOTHING;
    must(other == NOTHING || pthread_create(&thread, NULL, second, p) == 0, "pthread_create");
    while (!__atomic_load_n(&arrived, __ATOMIC_ACQUIRE))
        sched_yield();
    usleep(other == SLEEPS ? 100000 : 0);
    long before = number("/proc/vmstat", "nr_tlb_remote_flush");
    for (int k = 0; k < PAGES; k++)
        munmap(p + k * PAGE, PAGE);
    long asked = number("/proc/vmstat", "nr_tlb_remote_flush") - before;
    __atomic_store_n(&wanted, NOTHING, __ATOMIC_RELEASE);
    if (other != NOTHING)
        must(write(bell[1], "!", 1) == 1 && pthread_join(thread, NULL) == 0, "pthread_join");
    say(before == -1 ? "    %-46s      -\n" : "    %-46s  %5ld\n", text, asked);
}

int
main(void)
{
    processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
    begin(13);
    say("Each processor has a TLB of its own. Who takes an entry away sends a message to\n"
        "all that may remember it, and waits until they answer. Processors here: %d.\n"
        "Eight pages are unmapped, one by one:\n\n"
        "    and the process's second thread                messages\n",
        processors);
    must(pipe(bell) == 0, "pipe");
    stand_on(0);
    line("is not there", NOTHING);
    line("runs, on the other processor if there is one", RUNS);
    line("sleeps there", SLEEPS);
    say("\nOnly a processor that has this page table loaded is asked. One that idles, or\n"
        "runs another process, has forgotten all, and will read the entries anew later.\n"
        "One alone asks nobody: ./vm run --cpus 2 -- tour 13\n");
    return 0;
}
