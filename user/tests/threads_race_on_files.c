/*
 * threads_race_on_files.c - two threads at one descriptor: closing, exchanging, changing flags,
 * and looking at bytes that the other one moves.
 *
 * Each claim counts what may never happen, in whatever order the threads come.
 */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#define ROUNDS 400
#define TURNS  50 /* each may cost a slice of a processor that waits for the other */

static atomic_int wrong, turn, over;
static int fds[2];

/* One thread more runs @fn while main does; then both are done. */
static void
with_another(void *(*fn)(void *), void (*mine)(void))
{
    pthread_t t;

    atomic_store(&wrong, 0);
    atomic_store(&turn, 0);
    atomic_store(&over, 0);
    MUST(pthread_create(&t, NULL, fn, NULL) ? -1 : 0);
    mine();
    atomic_store(&over, 1);
    MUST(pthread_join(t, NULL) ? -1 : 0);
}

/* ---- closing twice ---- */

static atomic_int closed;

static void *
close_each(void *arg)
{
    for (int k = 1; k <= TURNS; k++) {
        while (atomic_load(&turn) < k)
            sched_yield();
        atomic_fetch_add(&closed, close(fds[0]) == 0);
        atomic_store(&turn, -k);
    }
    return arg;
}

static void
close_each_too(void)
{
    for (int k = 1; k <= TURNS; k++) {
        atomic_store(&closed, 0);
        fds[0] = (int)MUST(open("f", O_RDONLY));
        atomic_store(&turn, k);
        atomic_fetch_add(&closed, close(fds[0]) == 0);
        while (atomic_load(&turn) != -k)
            sched_yield();
        wrong += atomic_load(&closed) != 1;
    }
}

/* ---- one is exchanged while it is used ---- */

static void *
exchange(void *arg)
{
    while (!atomic_load(&over)) {
        int a = (int)MUST(open("f", O_RDONLY)), b = (int)MUST(open("g", O_RDONLY));

        MUST(dup2(a, fds[0]));
        MUST(dup2(b, fds[0]));
        close(a);
        close(b);
    }
    return arg;
}

static void
use(void)
{
    char c = 0;

    for (int k = 0; k < 4 * ROUNDS; k++)
        wrong += pread(fds[0], &c, 1, 0) != 1 || (c != 'f' && c != 'g');
}

/* ---- flags ---- */

static void *
append_on_and_off(void *arg)
{
    for (int k = 0; k < 4 * ROUNDS; k++) {
        int on = k % 2 ? O_APPEND : 0;

        MUST(fcntl(fds[0], F_SETFL, on));
        wrong += (fcntl(fds[0], F_GETFL) & O_APPEND) != on;
    }
    return arg;
}

/* FIONBIO changes one flag: it may lose to F_SETFL, but must not put back an old O_APPEND. */
static void
nonblock_on_and_off(void)
{
    for (int k = 0; k < 4 * ROUNDS; k++) {
        int on = k % 2;

        wrong += ioctl(fds[0], FIONBIO, &on) != 0;
    }
}

/* ---- poll and read ---- */

/* Writes of up to a page, some of which fail at their last byte and so move nothing. */
static void *
fill(void *arg)
{
    char *page = pages(2);

    memset(page, 'x', PAGE);
    MUST(munmap(page + PAGE, PAGE));
    for (int k = 0; k < 4 * ROUNDS; k++) {
        size_t n = (size_t)(k * 37) % PAGE + 1;
        ssize_t done = write(fds[1], page, n);

        atomic_fetch_add(&wrong, done != (ssize_t)n);
        done = write(fds[1], page + PAGE - n + 1, n); /* the last byte is not there */
        atomic_fetch_add(&wrong, done != -1 || errno != EFAULT);
    }
    close(fds[1]);
    return arg;
}

/* The only reader: what poll() promised must be there. */
static void
drain(void)
{
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    char buf[3000];
    ssize_t n;

    do {
        MUST(poll(&p, 1, -1));
        n = read(fds[0], buf, sizeof(buf));
        wrong += n < 0 || !all_bytes(buf, (size_t)n, 'x');
    } while (n != 0);
}

/* ---- whole pages are written over others ---- */

#define PAGES 8

static void *
overwrite(void *arg)
{
    char *page = pages(1);

    for (int k = 0; !atomic_load(&over); k++) {
        memset(page, k % 2 ? 'a' : 'b', PAGE);
        for (int n = 0; n < PAGES; n++)
            MUST(pwrite(fds[0], page, PAGE, n * (off_t)PAGE));
        MUST(fdatasync(fds[0]));
        posix_fadvise(fds[0], 0, 0, POSIX_FADV_DONTNEED);
    }
    return arg;
}

static void
look(void)
{
    char *page = pages(1);

    for (int k = 0; k < ROUNDS / 8; k++) {
        wrong += pread(fds[0], page, PAGE, k * 7 % PAGES * (off_t)PAGE) != (ssize_t)PAGE;
        for (size_t n = 0; n < PAGE; n++)
            wrong += page[n] != 'a' && page[n] != 'b';
    }
}

int
main(void)
{
    static char some[PAGES * PAGE];

    make_file("f", "f", 1);
    make_file("g", "g", 1);
    with_another(close_each, close_each_too);
    CHECK("of two who close it one succeeds", wrong == 0);

    fds[0] = (int)MUST(open("f", O_RDONLY));
    with_another(exchange, use);
    CHECK("one that is exchanged is always one of the two", wrong == 0);
    close(fds[0]);

    fds[0] = (int)MUST(open("f", O_RDONLY));
    with_another(append_on_and_off, nonblock_on_and_off);
    CHECK("a flag is what was set last, whatever becomes of another", wrong == 0);
    close(fds[0]);

    MUST(pipe2(fds, O_NONBLOCK));
    MUST(fcntl(fds[1], F_SETFL, 0));
    with_another(fill, drain);
    CHECK("who polls finds what was promised, in whole pieces", wrong == 0);

    memset(some, 'a', sizeof(some));
    make_file("h", some, sizeof(some));
    fds[0] = (int)MUST(open("h", O_RDWR));
    with_another(overwrite, look);
    CHECK("no zeros are seen where there were none", wrong == 0);
    return finish();
}
