/*
 * threads_races.c - one thread changes the memory that another is using: mprotect against
 * copy-on-write, munmap against faults, fork against faults, exit against munmap, madvise
 * and page-out against writes.
 *
 * usage: threads_races [SEED [ROUNDS]].  The seed chooses what each does when; what is
 * checked holds in every order, so the transcript is always the same.
 */
#include "threads.h"

#include <setjmp.h>

#define SOME 16 /* pages that are fought over */

static unsigned long seed = 1;
static int rounds = 100;
static uint32_t *volatile area;
static atomic_int stop, wrong, turns;
static __thread sigjmp_buf *where;
static __thread unsigned long chance;

/* Numbers by xorshift, each thread's own. */
static unsigned
any(unsigned long *state, unsigned below)
{
    unsigned long x = *state + 0x9e3779b97f4a7c15;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return (unsigned)(x >> 33) % below;
}

static uint32_t *
word_of(unsigned page)
{
    return area + page * (PAGE / sizeof(uint32_t)) + page;
}

static uint32_t *
map(void *at, int flags)
{
    void *p = mmap(at, SOME * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags,
                   -1, 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

/* A fault goes back to the thread that knows what it tried; any other ends the program. */
static void
on_fault(int sig)
{
    if (where == NULL) {
        signal(sig, SIG_DFL);
        return;
    }
    siglongjmp(*where, 1);
}

static void
race(const char *what, void *(*one)(void *), void (*other)(unsigned long *))
{
    unsigned long state = seed;

    stop = turns = wrong = 0;
    area = map(NULL, 0);
    pthread_t t = start(one, NULL), u = start(one, (void *)1);
    for (int i = 0; i < rounds; i++) {
        int seen = turns;
        for (unsigned k = any(&state, 8); k > 0 && turns == seen; k--)
            sched_yield();
        other(&state);
    }
    await(&turns, 0);
    stop = 1;
    join(t);
    join(u);
    munmap(area, SOME * PAGE);
    say("%s: %d wrong\n", what, (int)wrong);
    test_failures += wrong != 0;
}

/* Count in the words of my half of the pages; a count that is lost shows at once. */
static void *
count(void *half)
{
    volatile uint32_t counts[SOME] = {0};
    sigjmp_buf back;

    where = &back;
    chance = seed + 7 + (half != NULL);
    for (; !stop; turns++) {
        volatile unsigned page = any(&chance, SOME / 2) * 2 + (half != NULL);
        volatile uint32_t *w = word_of(page);
        if (sigsetjmp(back, 1) == 0) {
            uint32_t seen = *w;
            *w = seen + 1; /* may fault: then it was not done */
            counts[page]++;
            wrong += seen + 1 != counts[page];
        }
    }
    return half;
}

static void
protect(unsigned long *state)
{
    unsigned page = any(state, SOME);

    wrong += mprotect(word_of(page) - page, PAGE,
                      any(state, 3) ? PROT_READ | PROT_WRITE : PROT_READ) != 0;
    if (any(state, 8))
        return;
    pid_t pid = (pid_t)MUST(fork()); /* makes all copy-on-write; the child sees one moment */
    if (pid == 0) {
        uint32_t before[SOME];
        for (unsigned i = 0; i < SOME; i++)
            before[i] = *word_of(i);
        for (int i = 0; i < 5; i++)
            sched_yield();
        for (unsigned i = 0; i < SOME; i++)
            wrong += *word_of(i) != before[i];
        _exit(wrong != 0);
    }
    wrong += reap(pid) != 0;
}

static void
page_out(unsigned long *state)
{
    unsigned page = any(state, SOME);

    madvise(word_of(page) - page, PAGE * (1 + any(state, SOME - page)), 21 /* MADV_PAGEOUT */);
}

/* Write and look: what is there is the last value, or 0 if the page was dropped since. */
static void *
write_and_look(void *half)
{
    volatile uint32_t value = 0;
    sigjmp_buf back;

    where = &back;
    chance = seed + 9 + (half != NULL);
    for (; !stop; turns++) {
        volatile unsigned page = any(&chance, SOME / 2) * 2 + (half != NULL);
        volatile uint32_t *w = word_of(page);
        if (sigsetjmp(back, 1) == 0) {
            *w = ++value;
            uint32_t seen = *w;
            wrong += seen != value && seen != 0;
        }
    }
    return half;
}

static void
drop(unsigned long *state)
{
    unsigned page = any(state, SOME);

    wrong +=
        madvise(word_of(page) - page, PAGE * (1 + any(state, SOME - page)), MADV_DONTNEED) != 0;
}

/* Unmap some pages; others, mapped before and first touched now, may get their frames. */
static void
unmap(unsigned long *state)
{
    unsigned page = any(state, SOME), count = 1 + any(state, SOME - page);
    char *at = (char *)(word_of(page) - page), *decoy = pages(count);

    wrong += munmap(at, count * PAGE) != 0;
    memset(decoy, 0xee, count * PAGE);
    void *p = mmap(at, count * PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    wrong += p != (void *)at || !all_bytes(decoy, count * PAGE, 0xee);
    munmap(decoy, count * PAGE);
}

/* Fault pages in, with three words each in this order, and drop them now and then. */
static void *
fault_in(void *half)
{
    for (uint32_t value = 1; !stop; value++) {
        for (unsigned page = half != NULL; page < SOME; page += 2) {
            volatile uint32_t *p = word_of(page) - page;
            p[0] = value;
            p[PAGE / 8] = value;
            p[PAGE / 4 - 1] = value;
            if (value % 4 == 0)
                madvise((void *)p, PAGE, MADV_DONTNEED);
        }
        turns++;
    }
    return half;
}

/* A child has each page as it was at one moment: a word is at most one round behind. */
static void
fork_one(unsigned long *state)
{
    if (any(state, 4))
        return;
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        for (unsigned page = 0; page < SOME; page++) {
            uint32_t *p = word_of(page) - page, a = p[0], b = p[PAGE / 8], c = p[PAGE / 4 - 1];
            wrong += (b != 0 && a - b > 1) || (c != 0 && b - c > 1);
        }
        _exit(wrong != 0);
    }
    wrong += reap(pid) != 0;
}

static void *
map_and_unmap(void *arg)
{
    for (;;) {
        char *p = pages(SOME);
        memset(p, 1, SOME * PAGE);
        munmap(p, SOME * PAGE);
        turns++;
    }
    return arg;
}

static void
end_in_between(void *state)
{
    turns = 0;
    start(map_and_unmap, NULL);
    start(map_and_unmap, NULL);
    await(&turns, 0);
    for (unsigned k = any(state, 20); k > 0; k--)
        sched_yield();
    _exit(7);
}

static void
exit_against_munmap(void)
{
    unsigned long state = seed;
    int odd = 0;

    for (int i = 0; i < rounds / 4; i++) {
        int status = in_child(end_in_between, &state);
        odd += !WIFEXITED(status) || WEXITSTATUS(status) != 7;
        any(&state, 2);
    }
    say("exit against munmap: %d wrong\n", odd);
    test_failures += odd != 0;
}

int
main(int argc, char **argv)
{
    struct sigaction a = {.sa_handler = on_fault};

    if (argc > 1)
        seed = strtoul(argv[1], NULL, 0);
    if (argc > 2)
        rounds = atoi(argv[2]);
    MUST(sigaction(SIGSEGV, &a, NULL));
    race("mprotect against copy-on-write", count, protect);
    race("page-out against writes", count, page_out);
    race("madvise against writes", write_and_look, drop);
    race("munmap against faults", write_and_look, unmap);
    race("fork against faults", fault_in, fork_one);
    exit_against_munmap();
    return finish();
}
