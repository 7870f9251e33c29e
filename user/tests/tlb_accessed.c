/*
 * tlb_accessed.c - a page that is used after somebody cleared its A bit is seen to be used.
 *
 * The processor sets the bit when it walks the table, not while it remembers the entry: who clears
 * the bit must make it forget.  The other thread reads all the time, without a system call; 1 in
 * /proc/self/clear_refs clears the bits, "Referenced" in smaps counts them.
 * (Linux does not flush there: the expected output is a file.)
 */
#include "tlb.h"

#define SET   16
#define TIMES 5

static char *set;
static unsigned long rounds;
static int stop;

static void *
read_on(void *arg)
{
    pin(1);
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        for (size_t k = 0; k < SET; k++)
            (void)*(volatile const char *)(set + k * PAGE);
        __atomic_add_fetch(&rounds, 1, __ATOMIC_RELEASE);
    }
    return arg;
}

/* The other one begins and ends a round, at least. */
static void
await_round(void)
{
    unsigned long now = __atomic_load_n(&rounds, __ATOMIC_ACQUIRE);

    while (__atomic_load_n(&rounds, __ATOMIC_ACQUIRE) < now + 2)
        moment();
}

int
main(void)
{
    pthread_t other;
    int fd = (int)MUST(open("/proc/self/clear_refs", O_WRONLY)), seen = 0;

    set = pages(SET + 2) + PAGE;
    MUST(mprotect(set - PAGE, PAGE, PROT_NONE));
    MUST(mprotect(set + SET * PAGE, PAGE, PROT_NONE));
    for (size_t k = 0; k < SET; k++)
        set[k * PAGE] = 1;
    pin(0);
    CHECK("there is no 0", write(fd, "0", 1) == -1 && errno == EINVAL);
    CHECK("nor a 6", write(fd, "6", 1) == -1 && errno == EINVAL);
    CHECK("a word is no number", write(fd, "all", 3) == -1 && errno == EINVAL);
    MUST(write(fd, "1", 1));
    CHECK("nobody uses them", referenced(set) == 0);
    MUST(pthread_create(&other, NULL, read_on, NULL));
    for (int i = 0; i < TIMES; i++) {
        await_round();
        MUST(write(fd, i % 2 == 0 ? "1" : "2\n", i % 2 == 0 ? 1 : 2));
        await_round();
        seen += referenced(set) == SET * PAGE / 1024;
    }
    CHECK("what is used again is seen to be", seen == TIMES);
    MUST(write(fd, "3", 1));
    CHECK("files are others", referenced(set) == SET * PAGE / 1024);
    MUST(write(fd, "5", 1));
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    MUST(-pthread_join(other, NULL));
    return finish();
}
