/*
 * tlb.h - what the tests of stale TLB entries share: a second thread, on another CPU where there
 * is one, that does what it is told, and looks at memory that may not be there.
 *
 * The thread waits without sleeping: a CPU that idles forgets everything, and then there is
 * nothing left to be found stale.
 */
#pragma once

#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>

/* ---- looking ---- */

static __thread jmp_buf after_fault;
static __thread int fault_signal;

static void
on_fault(int sig)
{
    fault_signal = sig;
    longjmp(after_fault, 1);
}

SHARED void
catch_faults(void)
{
    struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

    MUST(sigaction(SIGSEGV, &sa, NULL));
    MUST(sigaction(SIGBUS, &sa, NULL));
}

/* What an access came to: the byte that is there then, or minus the signal. */
SHARED int
look(void *at)
{
    if (setjmp(after_fault) != 0)
        return -fault_signal;
    return *(volatile unsigned char *)at;
}

SHARED int
store(void *at, int value)
{
    if (setjmp(after_fault) != 0)
        return -fault_signal;
    *(volatile unsigned char *)at = (unsigned char)value;
    return value;
}

/* The code is a function that returns its number. */
SHARED int
run_code(void *at)
{
    if (setjmp(after_fault) != 0)
        return -fault_signal;
    return ((int (*)(void))at)();
}

/* How many KiB of the mapping that begins at @start count as used: their entries' A bits. */
SHARED long
referenced(const char *start)
{
    static char smaps[65536];
    char line[32];
    int fd = (int)MUST(open("/proc/self/smaps", O_RDONLY));
    size_t length = 0;
    ssize_t n;

    while ((n = read(fd, smaps + length, sizeof(smaps) - 1 - length)) > 0)
        length += (size_t)n;
    close(fd);
    smaps[length] = '\0';
    snprintf(line, sizeof(line), "%lx-", (unsigned long)start);
    char *at = strstr(smaps, line);
    at = at == NULL ? NULL : strstr(at, "Referenced:");
    return at == NULL ? -1 : strtol(at + 11, NULL, 10);
}

/* ---- the other thread ---- */

/* Waits a moment: for a thread on this CPU, or on one that takes turns with it. */
SHARED void
moment(void)
{
    __builtin_ia32_pause();
    sched_yield();
}

enum what { LOOK, STORE, RUN, LEAVE };

static struct {
    int asked; /* atomic: there is something to do */
    enum what what;
    void *at;
    int value, result;
} other;
static pthread_t other_thread;

/* @last: the last of the CPUs that this process may use, else the first. */
SHARED void
pin(int last)
{
    cpu_set_t all, one;
    int n = 0;

    MUST(sched_getaffinity(0, sizeof(all), &all));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all) && (n++ == 0 || last)) {
            CPU_ZERO(&one);
            CPU_SET(i, &one);
        }
    MUST(sched_setaffinity(0, sizeof(one), &one));
}

static void *
other_main(void *arg)
{
    pin(1);
    while (other.what != LEAVE) {
        while (!__atomic_load_n(&other.asked, __ATOMIC_ACQUIRE))
            moment();
        if (other.what == LOOK)
            other.result = look(other.at);
        if (other.what == STORE)
            other.result = store(other.at, other.value);
        if (other.what == RUN)
            other.result = run_code(other.at);
        __atomic_store_n(&other.asked, 0, __ATOMIC_RELEASE);
    }
    return arg;
}

/* The other thread does it; begun here, and finished when other_finish returns its result. */
SHARED void
other_begin(enum what what, void *at, int value)
{
    other.what = what;
    other.at = at;
    other.value = value;
    __atomic_store_n(&other.asked, 1, __ATOMIC_RELEASE);
}

SHARED int
other_finish(void)
{
    while (__atomic_load_n(&other.asked, __ATOMIC_ACQUIRE))
        moment();
    return other.result;
}

SHARED int
other_does(enum what what, void *at, int value)
{
    other_begin(what, at, value);
    return other_finish();
}

SHARED int
other_looks(void *at)
{
    return other_does(LOOK, at, 0);
}

SHARED int
other_stores(void *at, int value)
{
    return other_does(STORE, at, value);
}

SHARED void
other_start(void)
{
    catch_faults();
    MUST(-(pthread_create(&other_thread, NULL, other_main, NULL) != 0));
    (void)other_looks(&other); /* it stands on its CPU */
    pin(0);
}

SHARED void
other_leave(void)
{
    (void)other_does(LEAVE, NULL, 0);
    pthread_join(other_thread, NULL);
}

/* ---- many pages at once: more than a kernel may want to forget one by one ---- */

static const size_t sizes[] = {1, 10, 40};
#define SIZES 3

/* Both threads store to each page and so remember it, writable. */
SHARED void
both_store(char *p, size_t n, int value)
{
    for (size_t k = 0; k < n; k++) {
        other_stores(p + k * PAGE, value);
        store(p + k * PAGE, value);
    }
}

/* In how many of the pages both threads find @value. */
SHARED size_t
both_find(char *p, size_t n, int value)
{
    size_t found = 0;

    for (size_t k = 0; k < n; k++)
        found += look(p + k * PAGE) == value && other_looks(p + k * PAGE) == value;
    return found;
}

/* Frames that were given back get new owners: @fresh was mapped before, and not touched yet. */
SHARED void
take_frames(char *fresh, size_t n, int value)
{
    memset(fresh, value, n * PAGE);
}
