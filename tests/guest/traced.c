/*
 * traced.c - does so much of each thing that the trace records, for tests/test_trace.py to count.
 *
 * usage: traced [MIB | pace]
 *
 * Before and after, it prints /proc/vmstat, between two calls of mprotect() that are found in the
 * trace by their number of pages: what stands there was counted between them.  With MIB it then
 * stores to so much memory twice, which is to go to swap and come back, and prints the counts
 * again.  pace: prints how long so many calls take of which each is recorded once.
 */
#include "user/tests/test.h"

#include <pthread.h>
#include <time.h>

#define MARKS 64

static char *marks, *area;
static volatile int seen, stop;

static void
mark(int n)
{
    if (mprotect(marks, n * PAGE, n % 2 ? PROT_READ : PROT_NONE) != 0)
        say("mprotect failed\n");
}

/* Nothing is printed in between, for that takes faults. */
static void
counts(int n)
{
    static char text[8192];
    int fd = open("/proc/vmstat", O_RDONLY);

    memset(text, 1, sizeof(text));
    usleep(300000); /* so that the pager has come to rest */
    mark(2 * n + 1);
    ssize_t got = read(fd, text, sizeof(text) - 1);
    mark(2 * n + 2);
    text[got > 0 ? got : 0] = '\0';
    close(fd);
    say("counts %d\n%s", n, text);
}

static char *
map(size_t pages)
{
    return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void
store(int first, int pages)
{
    for (int i = first; i < first + pages; i++)
        ((volatile char *)area)[i * PAGE] = (char)i;
}

static void
on_signal(int sig, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    seen++;
    if (sig == SIGSEGV)
        mprotect(area + 50 * PAGE, 7 * PAGE, PROT_READ | PROT_WRITE);
}

static void *
spin(void *unused)
{
    while (!stop)
        continue;
    return unused;
}

/* Another processor uses the same table while entries are taken away. */
static void
shoot(void)
{
    pthread_t t;

    pthread_create(&t, NULL, spin, NULL);
    usleep(10000);
    store(30, 2);
    for (int i = 0; i < 10; i++) {
        mprotect(area + 30 * PAGE, 2 * PAGE, PROT_READ);
        mprotect(area + 30 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE);
        store(30, 2);
    }
    stop = 1;
    pthread_join(t, NULL);
}

static void
work(void)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    for (int i = 0; i < 10; i++) /* zero */
        (void)((volatile char *)area)[i * PAGE];
    store(10, 20); /* new */
    store(0, 5);   /* new, where zeros were */
    pid_t child = fork();
    if (child == 0) {
        store(10, 8); /* copied */
        _exit(3);
    }
    waitpid(child, NULL, 0);
    store(10, 20); /* reused: nobody shares them any more */
    say("child %d\n", child);
    munmap(area + 40 * PAGE, 5 * PAGE);
    mprotect(area + 50 * PAGE, 7 * PAGE, PROT_READ);
    store(52, 1); /* refused; the handler allows it */
    for (int i = 0; i < 3; i++)
        kill(getpid(), SIGUSR1);
    child = vfork();
    if (child == 0) {
        execl("/bin/busybox", "true", NULL);
        _exit(9);
    }
    waitpid(child, NULL, 0);
    say("executed %d\nsignals %d\n", child, seen);
    shoot();
}

static long
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static int
pace(void)
{
    const int calls = 10000;

    mark(1);
    mark(2);
    long begin = now();

    for (int i = 0; i < calls; i++)
        mark(i % 2 + 1);
    say("%ld ns for %d calls\n", now() - begin, calls);
    return 0;
}

int
main(int argc, char **argv)
{
    size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) * 256 : 0;

    marks = map(MARKS);
    area = map(64);
    if (argc > 1 && strcmp(argv[1], "pace") == 0)
        return pace();
    store(60, 1); /* the table of the last level, and what is above */
    counts(0);
    say("pid %d\narea %lx\nmarks %lx\n", getpid(), (long)area, (long)marks);
    work();
    counts(1);
    if (pages > 0) {
        char *much = map(pages);

        for (size_t i = 0; i < 2 * pages; i++)
            ((volatile char *)much)[i % pages * PAGE] += 1;
        counts(2);
    }
    return 0;
}
