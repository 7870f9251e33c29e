/*
 * tlb_stale.c - the entries of pages that all threads know are taken away or reduced, and then
 * each thread tries them again.
 *
 * Checkpoints: after each step of take_away(), for few pages and for many, with a report of what
 * the threads got there; at last one with what was seen in the storm.
 */
#include "../crew.h"

#define GENERATIONS 240
#define ALIEN       255 /* no generation has this number */
#define STORM_PAGES 4

static uint32_t seed;
static long number;

static void
report_it(long more)
{
    checkpoint(++number, &report, more, 0);
}

/* All have stored to the pages, and so remember that they may. */
static void
known_to_all(char *p, size_t n)
{
    fill(p, (uint32_t)n, seed);
    all_do(p, n, 1, seed);
}

static void
map_again(char *p, size_t n)
{
    void *got = mmap(p, n * PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    MUST(got == p ? 0 : -1);
}

/* The child's pages are those of before; what the threads store now is not for it. */
static void
share(char *p, size_t n)
{
    struct gate stored;

    gate_make(&stored);
    fill(p, (uint32_t)n, seed);
    all_do(p, n, 0, seed);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        int wrong = 0;

        gate_wait(&stored);
        for (uint32_t k = 0; k < n; k++)
            wrong += !all_bytes(p + k * PAGE, PAGE, byte_of(seed, k));
        _exit(wrong);
    }
    all_do(p, n, 1, seed + 1);
    gate_open(&stored);
    int wrong = reap(child);
    close(stored.fd[0]);
    close(stored.fd[1]);
    report_it(WEXITSTATUS(wrong));
}

static void
take_away(size_t n)
{
    char *p = pages(n);

    known_to_all(p, n);
    MUST(munmap(p, n * PAGE));
    all_do(p, n, 0, seed);
    report_it(0);

    map_again(p, n);
    known_to_all(p, n);
    map_again(p, n);
    fill(p, (uint32_t)n, seed + 2);
    all_do(p, n, 0, seed);
    report_it(0);

    known_to_all(p, n);
    MUST(mprotect(p, n * PAGE, PROT_READ));
    all_do(p, n, 1, seed + 3);
    report_it(0);
    MUST(mprotect(p, n * PAGE, PROT_NONE));
    all_do(p, n, 0, seed);
    report_it(0);

    MUST(mprotect(p, n * PAGE, PROT_READ | PROT_WRITE));
    known_to_all(p, n);
    MUST(madvise(p, n * PAGE, MADV_DONTNEED));
    all_do(p, n, 0, seed);
    report_it(0);

    share(p, n);
    MUST(munmap(p, n * PAGE));
}

/*
 * The storm: the first thread replaces pages by new ones all the time, each with the number of
 * its generation in it; the others read, and sleep now and then.  Another process fills every
 * frame that is free, on CPU 1: where processors take turns that one's is before the others have
 * answered CPU 0.
 */

static char *storm;
static unsigned generation; /* A: of all pages, or older than those */
static unsigned old, alien; /* A: bytes that were seen and must not be */

static void
replace_all(void)
{
    for (unsigned g = 1; g <= GENERATIONS; g++) {
        map_again(storm, STORM_PAGES);
        for (int k = 0; k < STORM_PAGES; k++)
            storm[k * PAGE] = (char)g;
        __atomic_store_n(&generation, g, __ATOMIC_RELEASE);
    }
}

static void
in_storm(unsigned me)
{
    uint32_t dice = seed + me;

    if (me == 0)
        replace_all();
    if (me == 1 && report.crew > 2)
        return; /* its CPU is wanted by fill_free_frames() */
    while (me != 0 && __atomic_load_n(&generation, __ATOMIC_ACQUIRE) < GENERATIONS) {
        dice = dice * 1664525 + 1013904223;
        for (int k = 0; k < STORM_PAGES; k++) {
            int least = (int)__atomic_load_n(&generation, __ATOMIC_ACQUIRE);
            int seen = look(storm + k * PAGE);

            /* 0: a page that is so new that nobody stored to it; -SIGSEGV: between two. */
            __atomic_add_fetch(&alien, seen == ALIEN, __ATOMIC_RELAXED);
            __atomic_add_fetch(&old, seen > 0 && seen < least, __ATOMIC_RELAXED);
        }
        if (dice >> 28 == 0)
            usleep(dice >> 16 & 127);
    }
}

/* Pages of a pipe are frames of the kernel's, and need no lock of memory's to be filled. */
static pid_t
fill_free_frames(void)
{
    pid_t child = (pid_t)MUST(fork());
    static char bytes[8 * PAGE];
    int fd[2];

    if (child != 0)
        return child;
    pin_to(report.crew > 1);
    MUST(pipe(fd));
    memset(bytes, ALIEN, sizeof(bytes));
    for (;;) {
        MUST(write(fd[1], bytes, sizeof(bytes)));
        MUST(read(fd[0], bytes, sizeof(bytes)));
    }
}

int
main(int argc, char **argv)
{
    seed = seed_of(argc, argv);
    storm = pages(STORM_PAGES);
    crew_start();
    take_away(2 + seed % 15);
    take_away(17 + seed % 24);
    pid_t filler = fill_free_frames();
    crew_leave(in_storm);
    MUST(kill(filler, SIGKILL));
    (void)reap(filler);
    checkpoint(++number, NULL, old, alien);
    return finish();
}
