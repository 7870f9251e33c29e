/*
 * test.h - what the guest test programs share.
 *
 * A test program is plain C for musl.  It prints what it found, one claim a
 * line, and the same binary must print the same bytes on Linux and on Vitrine:
 * so no addresses, no process numbers, no times.  Output goes straight to
 * write(2), never through stdio, so a fork cannot print a buffer twice.
 *
 * Everything is static and in this header, because a program is one file.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE   4096UL
#define SHARED __attribute__((unused)) static

SHARED int test_failures;

/* recurse - without end, 1 KiB and a little at a time: for who wants a full stack. */
__attribute__((noinline)) SHARED int
recurse(int level)
{
    volatile char frame[1024];

    frame[0] = (char)level;
    if (level < 0) /* never; the compiler must not know */
        return 0;
    int below = recurse(level + 1);
    return below + frame[0]; /* so the call is not a jump */
}

/* say - print to standard output at once. */
__attribute__((format(printf, 1, 2))) SHARED void
say(const char *fmt, ...)
{
    char line[1024];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (n > (int)sizeof(line) - 1)
        n = sizeof(line) - 1;
    for (int done = 0; done < n;) {
        ssize_t w = write(1, line + done, n - done);
        if (w <= 0)
            _exit(98);
        done += w;
    }
}

/* errno_name - "EFAULT" for EFAULT; numbers that no test expects come out as "E123". */
SHARED const char *
errno_name(int e)
{
    static const struct {
        int code;
        const char *name;
    } names[] = {
        {EPERM, "EPERM"},
        {ENOENT, "ENOENT"},
        {ESRCH, "ESRCH"},
        {EINTR, "EINTR"},
        {EIO, "EIO"},
        {ENXIO, "ENXIO"},
        {E2BIG, "E2BIG"},
        {ENOEXEC, "ENOEXEC"},
        {EBADF, "EBADF"},
        {ECHILD, "ECHILD"},
        {EAGAIN, "EAGAIN"},
        {ENOMEM, "ENOMEM"},
        {EACCES, "EACCES"},
        {EFAULT, "EFAULT"},
        {EBUSY, "EBUSY"},
        {EEXIST, "EEXIST"},
        {EXDEV, "EXDEV"},
        {ENODEV, "ENODEV"},
        {ENOTDIR, "ENOTDIR"},
        {EISDIR, "EISDIR"},
        {EINVAL, "EINVAL"},
        {ENFILE, "ENFILE"},
        {EMFILE, "EMFILE"},
        {ENOTTY, "ENOTTY"},
        {ETXTBSY, "ETXTBSY"},
        {EFBIG, "EFBIG"},
        {ENOSPC, "ENOSPC"},
        {ESPIPE, "ESPIPE"},
        {EROFS, "EROFS"},
        {EMLINK, "EMLINK"},
        {EPIPE, "EPIPE"},
        {ERANGE, "ERANGE"},
        {EDEADLK, "EDEADLK"},
        {ENOSYS, "ENOSYS"},
        {ENOTEMPTY, "ENOTEMPTY"},
        {ENAMETOOLONG, "ENAMETOOLONG"},
        {ELOOP, "ELOOP"},
        {ENOTSUP, "EOPNOTSUPP"},
        {EOVERFLOW, "EOVERFLOW"},
        {ELIBBAD, "ELIBBAD"},
        {ETIMEDOUT, "ETIMEDOUT"},
        {ENOTBLK, "ENOTBLK"},
        {EOWNERDEAD, "EOWNERDEAD"},
        {ENOTRECOVERABLE, "ENOTRECOVERABLE"},
    };
    static char other[16];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].code == e)
            return names[i].name;
    snprintf(other, sizeof(other), "E%d", e);
    return other;
}

/* signal_name - "SIGSEGV" for SIGSEGV. */
SHARED const char *
signal_name(int s)
{
    static const char *const names[32] = {
        "none",     "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",  "SIGTRAP",   "SIGABRT",
        "SIGBUS",   "SIGFPE",  "SIGKILL",   "SIGUSR1", "SIGSEGV", "SIGUSR2",   "SIGPIPE",
        "SIGALRM",  "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP",   "SIGTSTP",
        "SIGTTIN",  "SIGTTOU", "SIGURG",    "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF",
        "SIGWINCH", "SIGIO",   "SIGPWR",    "SIGSYS",
    };
    return s >= 0 && s < 32 ? names[s] : "SIGRT";
}

/* check_claim - print a claim and whether it held; remembers failures for finish(). */
SHARED void
check_claim(int holds, const char *claim, int line)
{
    int e = errno;

    if (holds) {
        say("ok      %s\n", claim);
        return;
    }
    test_failures++;
    say("FAILED  %s (line %d, errno %s)\n", claim, line, errno_name(e));
}
#define CHECK(claim, ...) check_claim((__VA_ARGS__) ? 1 : 0, claim, __LINE__)

/* show - print a call's result: the number it returned, or the name of its errno. */
SHARED void
show(const char *what, long result)
{
    int e = errno;

    if (result == -1)
        say("%s: %s\n", what, errno_name(e));
    else
        say("%s: %ld\n", what, result);
}

/* show_ok - like show(), for results whose value differs from run to run. */
SHARED void
show_ok(const char *what, long result)
{
    int e = errno;

    say("%s: %s\n", what, result == -1 ? errno_name(e) : "ok");
}

/* must - a step that the test stands on; without it nothing after makes sense. */
SHARED long
must(long result, const char *what, int line)
{
    if (result == -1) {
        int e = errno;
        say("GAVE UP at line %d: %s: %s\n", line, what, errno_name(e));
        _exit(97);
    }
    return result;
}
#define MUST(call) must((long)(call), #call, __LINE__)

/* show_status - print how a child ended, without the core-dump bit. */
SHARED void
show_status(const char *what, int status)
{
    if (WIFEXITED(status))
        say("%s: exit %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        say("%s: killed by %s\n", what, signal_name(WTERMSIG(status)));
    else if (WIFSTOPPED(status))
        say("%s: stopped by %s\n", what, signal_name(WSTOPSIG(status)));
    else if (WIFCONTINUED(status))
        say("%s: continued\n", what);
    else
        say("%s: strange status\n", what);
}

/* reap - wait for one child and return its status. */
SHARED int
reap(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR)
            must(-1, "waitpid", 0);
    return status;
}

/* in_child - run fn(arg) in a child of its own; a return from fn is exit 0. */
SHARED int
in_child(void (*fn)(void *), void *arg)
{
    pid_t pid = (pid_t)MUST(fork());

    if (pid == 0) {
        test_failures = 0;
        fn(arg);
        _exit(test_failures ? 1 : 0);
    }
    return reap(pid);
}

/* wait_for_signals - sleep until a signal ends the call; returns -1 with EINTR. */
SHARED int
wait_for_signals(void)
{
    return poll(NULL, 0, -1);
}

/* stay_here - on one processor from now on, whichever that is; children too. */
SHARED void
stay_here(void)
{
    unsigned long mask[16] = {0};
    unsigned k = 0;

    MUST(syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask));
    while (mask[k] == 0)
        k++;
    mask[k] &= -mask[k];
    MUST(syscall(SYS_sched_setaffinity, 0, (k + 1) * sizeof(mask[0]), mask));
}

/* share_processor - stay here, beside a child that does nothing but compute; returns its pid. */
SHARED pid_t
share_processor(void)
{
    stay_here();
    pid_t pid = (pid_t)MUST(fork());
    while (pid == 0)
        continue;
    return pid;
}

/* used_ms - milliseconds of processor time, by getrusage(@who). */
SHARED long
used_ms(int who)
{
    struct rusage u;

    MUST(getrusage(who, &u));
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* A gate is a pipe that one process waits at until another opens it. */
struct gate {
    int fd[2];
};

SHARED void
gate_make(struct gate *g)
{
    MUST(pipe(g->fd));
}

SHARED void
gate_open(struct gate *g)
{
    MUST(write(g->fd[1], "g", 1));
}

SHARED void
gate_wait(struct gate *g)
{
    char c;
    ssize_t n;

    do
        n = read(g->fd[0], &c, 1);
    while (n == -1 && errno == EINTR);
    if (n != 1)
        must(-1, "gate_wait", 0);
}

/* pages - map fresh private memory, read and write, of which little may be touched. */
SHARED char *
pages(size_t count)
{
    void *p = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

/* make_file - create or replace a file with these bytes. */
SHARED void
make_file(const char *name, const void *bytes, size_t length)
{
    int fd = (int)MUST(open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644));

    if (length > 0 && write(fd, bytes, length) != (ssize_t)length)
        must(-1, "make_file", __LINE__);
    close(fd);
}

/* all_bytes - does every byte of the range have this value? */
SHARED int
all_bytes(const void *start, size_t length, unsigned char value)
{
    const unsigned char *p = start;

    for (size_t i = 0; i < length; i++)
        if (p[i] != value)
            return 0;
    return 1;
}

/* launder - the same address, but the compiler no longer knows what it points to. */
SHARED char *
launder(void *address)
{
    __asm__ volatile("" : "+r"(address));
    return address;
}

/* finish - the exit status of main(). */
SHARED int
finish(void)
{
    return test_failures ? 1 : 0;
}
