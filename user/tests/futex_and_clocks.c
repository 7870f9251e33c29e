/*
 * futex_and_clocks.c - the futex calls that a single thread can make, and clocks that
 * only go forward.
 */
#include "test.h"

#include <time.h>

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define PRIVATE    128

static long
futex(int *word, int op, int value, const struct timespec *t)
{
    return syscall(SYS_futex, word, op, value, t, NULL, 0);
}

int
main(void)
{
    static int word = 5;
    struct timespec short_time = {0, 20000000}, a, b;
    int forward = 1;

    show("wait for another value", futex(&word, FUTEX_WAIT | PRIVATE, 6, NULL));
    show("wait in time", futex(&word, FUTEX_WAIT | PRIVATE, 5, &short_time));
    show("wake nobody", futex(&word, FUTEX_WAKE | PRIVATE, 1, NULL));
    show("not aligned", futex((int *)((char *)&word + 1), FUTEX_WAIT, 5, NULL));
    show("unknown operation", futex(&word, 99, 5, NULL));
    int *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        while (*(volatile int *)shared == 0)
            futex(shared, FUTEX_WAIT, 0, NULL);
        _exit(*shared);
    }
    poll(NULL, 0, 30);
    *(volatile int *)shared = 7;
    futex(shared, FUTEX_WAKE, 1, NULL);
    show_status("a child that waited on shared memory", reap(pid));

    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < 1000; i++) {
        clock_gettime(CLOCK_MONOTONIC, &b);
        forward &= b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec);
        forward &= b.tv_nsec >= 0 && b.tv_nsec < 1000000000;
        a = b;
    }
    CHECK("CLOCK_MONOTONIC", forward);
    clock_gettime(CLOCK_REALTIME, &a);
    CHECK("CLOCK_REALTIME is in this century", a.tv_sec > 1700000000);
    CHECK("time() agrees", time(NULL) - a.tv_sec < 100 && time(NULL) >= a.tv_sec);
    show("CLOCK_PROCESS_CPUTIME_ID", clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a));
    show("a clock that is not", clock_gettime(12345, &a));
    return finish();
}
