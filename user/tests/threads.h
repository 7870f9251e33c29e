/*
 * threads.h - what the test programs that make threads share.
 *
 * A claim about a thread that sleeps waits until the kernel says that it sleeps
 * (wait_asleep), and a claim about a race counts what must hold in every order: no test
 * here hopes that some milliseconds are enough.
 */
#pragma once

#include "test.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define FUTEX_WAIT        0
#define FUTEX_WAKE        1
#define FUTEX_REQUEUE     3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE     128
#define FUTEX_REALTIME    256

#ifndef CLONE_THREAD
#error "_GNU_SOURCE was not set in time"
#endif
#define THREAD_FLAGS \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

/* must_be_0 - like must(), for calls that return an error number. */
SHARED void
must_be_0(int error, const char *what, int line)
{
    if (error == 0)
        return;
    errno = error;
    must(-1, what, line);
}
#define MUST0(call) must_be_0((call), #call, __LINE__)

/* show_error - print what a call of the pthread family returned. */
SHARED void
show_error(const char *what, int error)
{
    say("%s: %s\n", what, error ? errno_name(error) : "0");
}

/* start - a new thread that runs fn(arg). */
SHARED pthread_t
start(void *(*fn)(void *), void *arg)
{
    pthread_t t;

    MUST0(pthread_create(&t, NULL, fn, arg));
    return t;
}

/* join - wait for a thread; returns its result. */
SHARED void *
join(pthread_t t)
{
    void *result = NULL;

    MUST0(pthread_join(t, &result));
    return result;
}

/* start_all, join_all - several threads with the same function; each gets its number. */
SHARED void
start_all(pthread_t *t, int count, void *(*fn)(void *))
{
    for (intptr_t i = 0; i < count; i++)
        t[i] = start(fn, (void *)i);
}

SHARED void
join_all(const pthread_t *t, int count)
{
    for (int i = 0; i < count; i++)
        join(t[i]);
}

SHARED pid_t
my_tid(void)
{
    return (pid_t)syscall(SYS_gettid);
}

/* in_ms - the time that a clock shows so many milliseconds from now (or before now). */
SHARED struct timespec
in_ms(clockid_t clock, long ms)
{
    struct timespec t;

    MUST(clock_gettime(clock, &t));
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000 || t.tv_nsec < 0) {
        long carry = t.tv_nsec < 0 ? -1 : 1;
        t.tv_sec += carry;
        t.tv_nsec -= carry * 1000000000;
    }
    return t;
}

/* await - give way until the word is no longer what it was. */
SHARED void
await(atomic_int *word, int old)
{
    while (atomic_load(word) == old)
        sched_yield();
}

/* await_least - give way until the word is at least this much. */
SHARED void
await_least(atomic_int *word, int least)
{
    while (atomic_load(word) < least)
        sched_yield();
}

/* read_text - all of a small file; its length, or -1 with errno. */
SHARED ssize_t
read_text(const char *name, char *text, size_t size)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, size - 1);
    int e = errno;
    close(fd);
    errno = e;
    text[n < 0 ? 0 : n] = '\0';
    return n;
}

/* state_of - the letter in the thread's stat: R, S, D, Z, T; 0 if it is gone. */
SHARED char
state_of(pid_t pid, pid_t tid)
{
    char name[64], text[1024];

    snprintf(name, sizeof(name), "/proc/%d/task/%d/stat", pid, tid);
    if (read_text(name, text, sizeof(text)) <= 0)
        return 0;
    char *end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' ? end[2] : '?';
}

/* wait_asleep - until the thread sleeps in the call it was about to make. */
SHARED void
wait_asleep(pid_t tid)
{
    for (int in_a_row = 0; in_a_row < 3;) {
        in_a_row = state_of(getpid(), tid) == 'S' ? in_a_row + 1 : 0;
        sched_yield();
    }
}

/* count_tasks - how many threads /proc/self/task lists. */
SHARED int
count_tasks(void)
{
    DIR *d = opendir("/proc/self/task");
    struct dirent *e;
    int n = 0;

    MUST(d == NULL ? -1 : 0);
    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* wait_tasks - until so many are left: a thread that was joined may still be on its way out. */
SHARED void
wait_tasks(int count)
{
    while (count_tasks() != count)
        sched_yield();
}

/* field_of - the number after "Name:" in /proc/self/status. */
SHARED long
field_of(const char *name)
{
    char text[4096], key[64];

    MUST(read_text("/proc/self/status", text, sizeof(text)));
    snprintf(key, sizeof(key), "\n%s:", name);
    char *at = strstr(text, key);
    return at ? strtol(at + strlen(key), NULL, 0) : -1;
}

/* futex - the bare call. */
SHARED long
futex(void *word, int op, int value, const void *time_or_count, void *word2, int value3)
{
    return syscall(SYS_futex, word, op, value, time_or_count, word2, value3);
}

/*
 * raw_clone - clone() on a stack of its own; the new thread runs fn(arg) and exits with 0.
 * It has no thread-local storage of its own, so fn keeps to system calls.
 */
SHARED long
raw_clone(unsigned long flags, char *stack_top, int *tids[2], void (*fn)(void *), void *arg)
{
    void **sp = (void **)stack_top;
    register int *child_tid __asm__("r10") = tids[1];
    register long tls __asm__("r8") = 0;
    long ret = SYS_clone;

    *--sp = arg;
    *--sp = (void *)fn;
    __asm__ volatile("syscall\n"
                     "test %%rax, %%rax\n jnz 1f\n"
                     "xor %%ebp, %%ebp\n pop %%rax\n pop %%rdi\n call *%%rax\n"
                     "xor %%edi, %%edi\n mov %[exit], %%eax\n syscall\n"
                     "1:"
                     : "+a"(ret)
                     : "D"(flags), "S"(sp), "d"(tids[0]), "r"(child_tid),
                       "r"(tls), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory");
    return ret < 0 ? (errno = (int)-ret, -1) : ret;
}
