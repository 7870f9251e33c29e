/*
 * vmbench - what does virtual memory cost on this kernel?
 *
 * One static program of plain POSIX calls only, so the very same binary runs on
 * Linux and on any kernel with that part of Linux's x86-64 ABI, also as pid 1.
 * Without floating point, so that the kernel's care for it is not in the counts.
 *
 *   vmbench [-r REPS] [-f FILE] [-c FILE] [-x TINY] [-w MIB] [-l] [NAME|PREFIX* ...]
 *
 *     -r REPS  timed repetitions of each metric; the median is printed (3)
 *     -f FILE  file to map for the file_* metrics (default: this program)
 *     -c FILE  file on a disk for file_cold, which is skipped without it
 *     -x TINY  program to start for exec_tiny (default: /bin/tiny)
 *     -w MIB   working set of the swap_* metrics; they are skipped without it
 *              (give about 1.5 x the machine's RAM)
 *     -l       list the metrics and stop
 *
 * Output, one line a metric, fields split by one blank:
 *
 *   vmbench NAME UNIT VALUE OPS TICKS MIN_TICKS MAX_TICKS
 *   vmbench-major NAME COUNT             (page faults of one repetition that waited for the disk)
 *   vmbench-skip NAME REASON...          (not measured here)
 *   vmbench-fail NAME REASON...          (the kernel gave a WRONG answer)
 *   vmbench-done OK SKIPPED FAILED
 *
 * VALUE is per operation in UNIT (ns/page, ns/call, ...; B/proc is memory, not
 * time, and the largest of the repetitions instead of the median), OPS how many
 * operations one repetition timed, TICKS the median time stamp counter ticks
 * per operation, MIN_/MAX_TICKS its spread over the repetitions.  Under
 * "qemu -icount shift=0" one tick is one guest instruction, which makes TICKS
 * the deterministic figure; without icount it is host time.
 *
 * Every metric also checks its result; a wrong answer is a vmbench-fail line and
 * exit status 1.
 */
/* build: -mgeneral-regs-only -fno-stack-protector -Wshadow */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE     ((size_t)4096)
#define MIB      ((size_t)1 << 20)
#define MAX_REPS 99

typedef uint64_t u64;

/* ------------------------------------------------------------------------ */
/* Verdicts                                                                  */

enum verdict { OK, SKIP, FAIL };

static char why[128]; /* the reason behind the last SKIP or FAIL */

__attribute__((format(printf, 2, 3))) static enum verdict
because(enum verdict v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return v;
}

/* A system call this kernel refused: the metric cannot be taken here. */
static enum verdict
refused(const char *call)
{
    return because(SKIP, "%s: errno %d", call, errno);
}

/* ------------------------------------------------------------------------ */
/* Stopwatch                                                                 */

struct result {
    u64 ns, ticks; /* total over all operations */
    u64 ops;
    u64 major; /* page faults that had to wait for a disk */
};

static u64
major_faults(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) < 0 ? 0 : (u64)u.ru_majflt;
}

static u64
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static inline u64
now_ticks(void)
{
    uint32_t lo, hi;
    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (u64)hi << 32 | lo;
}

/*
 * A long no-op whose displacement spells "VMB" + a number.  It does nothing on
 * any CPU; a QEMU plugin watching for it can count exactly the instructions
 * (user and kernel) between the two, see vmcount.c.
 */
#define MARK(n) \
    __asm__ volatile(".byte 0x0f,0x1f,0x84,0x00; .long 0x564d4200+%c0" ::"i"(n) : "memory")

/* Exactly one start/stop pair runs per repetition of a metric. */
static void
start(struct result *r)
{
    r->major = major_faults();
    r->ns = now_ns();
    r->ticks = now_ticks();
    MARK(1);
}

static void
stop(struct result *r, u64 ops)
{
    MARK(2);
    r->ticks = now_ticks() - r->ticks;
    r->ns = now_ns() - r->ns;
    r->major = major_faults() - r->major;
    r->ops = ops;
}

/* ------------------------------------------------------------------------ */
/* Helpers                                                                   */

struct bench;
typedef enum verdict bench_fn(const struct bench *, struct result *);

struct bench {
    const char *name;
    const char *unit;
    bench_fn *run;
    u64 n; /* size: pages, processes, regions ... as the metric says */
    u64 loops;
    const char *what;
};

static const char *self_path, *file_path, *cold_path, *tiny_path = "/bin/tiny";
static u64 swap_mib;

static volatile unsigned char sink;

static unsigned char *
map_anon(size_t len, int prot, int flags)
{
    return mmap(NULL, len, prot, MAP_ANONYMOUS | flags, -1, 0);
}

static void
touch(unsigned char *p, u64 pages, unsigned char v)
{
    for (u64 i = 0; i < pages; i++)
        ((volatile unsigned char *)p)[i * PAGE] = v;
}

static u64 rnd_state = 88172645463325252u;

static u64
rnd(void)
{
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;
    return rnd_state;
}

/* The whole of a read or write, or false. */
static int
read_all(int fd, void *buf, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = read(fd, (char *)buf + done, n - done);
        if (k <= 0)
            return 0;
        done += (size_t)k;
    }
    return 1;
}

static int
reap(pid_t pid)
{
    int st;
    if (waitpid(pid, &st, 0) != pid)
        return -1;
    return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

/*
 * Runs a metric's body in a child, so that it starts with a fresh stack or a
 * copy-on-write address space; its result comes back through a pipe.
 */
struct message {
    enum verdict v;
    struct result r;
    char why[sizeof why];
};

static enum verdict
in_child(const struct bench *b, struct result *r, bench_fn *body)
{
    int fd[2];
    struct message m;
    if (pipe(fd) < 0)
        return refused("pipe");
    pid_t pid = fork();
    if (pid < 0)
        return refused("fork");
    if (pid == 0) {
        memset(&m, 0, sizeof m);
        m.v = body(b, &m.r);
        memcpy(m.why, why, sizeof why);
        _exit(write(fd[1], &m, sizeof m) != (ssize_t)sizeof m);
    }
    close(fd[1]);
    int got = read_all(fd[0], &m, sizeof m);
    close(fd[0]);
    int st = reap(pid);
    if (!got || st != 0)
        return because(FAIL, "child ended with status %d", st);
    *r = m.r;
    memcpy(why, m.why, sizeof why);
    return m.v;
}

/*
 * Starts n children that sleep in read() until the returned descriptor is
 * closed; pids holds them.  Returns -1 if the kernel cannot.
 */
static int
sleepers_start(u64 n, pid_t *pids)
{
    int fd[2], ready[2];
    char c = 0;
    if (pipe(fd) < 0 || pipe(ready) < 0)
        return -1;
    for (u64 i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            return -1;
        if (pids[i] == 0) {
            close(fd[1]);
            if (write(ready[1], &c, 1) != 1 || read(fd[0], &c, 1) != 0)
                _exit(1);
            _exit(0);
        }
        if (read(ready[0], &c, 1) != 1)
            return -1;
    }
    close(ready[0]);
    close(ready[1]);
    close(fd[0]);
    return fd[1];
}

static enum verdict
sleepers_stop(int fd, u64 n, const pid_t *pids)
{
    close(fd);
    for (u64 i = 0; i < n; i++)
        if (reap(pids[i]) != 0)
            return because(FAIL, "a sleeping child ended wrongly");
    return OK;
}

/* ------------------------------------------------------------------------ */
/* System calls and switches                                                 */

static enum verdict
null_syscall(const struct bench *b, struct result *r)
{
    pid_t parent = getppid();
    u64 bad = 0;
    start(r);
    for (u64 i = 0; i < b->loops; i++)
        bad += getppid() != parent;
    stop(r, b->loops);
    return bad ? because(FAIL, "getppid changed its answer") : OK;
}

/* n processes in a ring of pipes hand one byte round; a hop is a switch. */
static enum verdict
pipe_ring(const struct bench *b, struct result *r)
{
    enum { MOST = 64 };
    int n = (int)b->n, fd[MOST][2];
    pid_t pid[MOST];
    unsigned char token = 1;
    for (int i = 0; i < n; i++)
        if (pipe(fd[i]) < 0)
            return refused("pipe");
    for (int i = 1; i < n; i++) {
        pid[i] = fork();
        if (pid[i] < 0)
            return refused("fork");
        if (pid[i] == 0) {
            for (int k = 0; k < n; k++) { /* keep only: read i, write i+1 */
                if (k != i)
                    close(fd[k][0]);
                if (k != (i + 1) % n)
                    close(fd[k][1]);
            }
            while (read(fd[i][0], &token, 1) == 1) {
                token++;
                if (write(fd[(i + 1) % n][1], &token, 1) != 1)
                    _exit(1);
            }
            _exit(0);
        }
    }
    u64 rounds = b->loops / b->n, wrong = 0;
    start(r);
    for (u64 i = 0; i < rounds; i++) {
        token = 1;
        if (write(fd[1 % n][1], &token, 1) != 1 || read(fd[0][0], &token, 1) != 1)
            break;
        wrong += token != n;
    }
    stop(r, rounds * b->n);
    for (int i = 0; i < n; i++) { /* each child sees its end of file in turn */
        close(fd[i][1]);
        close(fd[i][0]);
    }
    for (int i = 1; i < n; i++)
        if (reap(pid[i]) != 0)
            wrong++;
    return wrong ? because(FAIL, "the token was damaged or a child failed") : OK;
}

/* Parent and child alternate through one shared word, yielding in between. */
static enum verdict
shared_ping(const struct bench *b, struct result *r)
{
    volatile u64 *turn = (void *)map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    if (turn == MAP_FAILED)
        return refused("mmap shared");
    *turn = 0;
    pid_t pid = fork();
    if (pid < 0)
        return refused("fork");
    if (pid == 0) {
        for (u64 i = 0; i < b->loops + 1; i++) {
            while (*turn != 2 * i + 1)
                sched_yield();
            *turn = 2 * i + 2;
        }
        _exit(0);
    }
    *turn = 1; /* one round outside the clock: both are up and mapped */
    while (*turn != 2)
        sched_yield();
    start(r);
    for (u64 i = 1; i < b->loops + 1; i++) {
        *turn = 2 * i + 1;
        while (*turn != 2 * i + 2)
            sched_yield();
    }
    stop(r, b->loops * 2);
    int st = reap(pid);
    munmap((void *)turn, PAGE);
    return st ? because(FAIL, "child ended with status %d", st) : OK;
}

/* ------------------------------------------------------------------------ */
/* Signals: a user program handling its own faults                           */

static unsigned char *sig_base, *sig_other;
static volatile u64 sig_count;

static void
on_fault(int sig, siginfo_t *si, void *ctx)
{
    (void)sig, (void)ctx;
    unsigned char *page = (void *)((uintptr_t)si->si_addr & ~(uintptr_t)(PAGE - 1));
    if (sig_other)
        mprotect(sig_other, PAGE, PROT_NONE);
    if (mprotect(page, PAGE, PROT_READ | PROT_WRITE) < 0)
        _exit(99);
    sig_other = sig_other ? page : NULL;
    sig_count++;
}

static void
on_user(int sig)
{
    (void)sig;
    sig_count++;
}

static enum verdict
signal_self(const struct bench *b, struct result *r)
{
    struct sigaction sa = {.sa_handler = on_user}, old;
    pid_t me = getpid();
    if (sigaction(SIGUSR1, &sa, &old) < 0)
        return refused("sigaction");
    sig_count = 0;
    start(r);
    for (u64 i = 0; i < b->loops; i++)
        kill(me, SIGUSR1);
    stop(r, b->loops);
    sigaction(SIGUSR1, &old, NULL);
    return sig_count == b->loops ? OK : because(FAIL, "a signal was lost");
}

/*
 * Appel and Li, "Virtual memory primitives for user programs" (1991).
 * n pages; with b->loops == 0 all are unprotected one after the other by the
 * handler (protN + trap + unprot); else each trap also protects the page that
 * was opened before it (prot1 + trap + unprot).
 */
static enum verdict
trap_unprotect(const struct bench *b, struct result *r)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, old;
    unsigned char *p = map_anon(b->n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (p == MAP_FAILED)
        return refused("mmap");
    if (sigaction(SIGSEGV, &sa, &old) < 0)
        return refused("sigaction");
    touch(p, b->n, 7);
    sig_base = p;
    sig_count = 0;
    sig_other = NULL;
    u64 traps = b->loops ? b->loops : b->n, bad = 0;
    if (b->loops) { /* the last page starts open, all others shut */
        mprotect(p, (b->n - 1) * PAGE, PROT_NONE);
        sig_other = p + (b->n - 1) * PAGE;
        start(r);
        for (u64 i = 0; i < traps; i++)
            bad += ((volatile unsigned char *)p)[i % b->n * PAGE] != 7;
        stop(r, traps);
    } else {
        start(r);
        mprotect(p, b->n * PAGE, PROT_NONE);
        for (u64 i = 0; i < traps; i++)
            ((volatile unsigned char *)p)[i * PAGE] = 8;
        stop(r, traps);
    }
    sigaction(SIGSEGV, &old, NULL);
    munmap(p, b->n * PAGE);
    if (bad || sig_count != traps)
        return because(FAIL, "%llu traps for %llu accesses", (unsigned long long)sig_count,
                       (unsigned long long)traps);
    return OK;
}

/* ------------------------------------------------------------------------ */
/* Page faults                                                               */

/* First write to n fresh pages, while b->loops other processes sleep. */
static enum verdict
anon_write(const struct bench *b, struct result *r)
{
    pid_t pids[64];
    int fd = -1;
    enum verdict v = OK;
    if (b->loops && (fd = sleepers_start(b->loops, pids)) < 0)
        return refused("fork");
    unsigned char *p = map_anon(b->n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (p == MAP_FAILED)
        return refused("mmap");
    start(r);
    touch(p, b->n, 1);
    stop(r, b->n);
    for (u64 i = 0; i < b->n; i++)
        if (p[i * PAGE] != 1 || p[i * PAGE + 1] || p[i * PAGE + 1024] || p[i * PAGE + PAGE - 1])
            v = because(FAIL, "fresh page %llu was not zero", (unsigned long long)i);
    munmap(p, b->n * PAGE);
    if (fd >= 0 && sleepers_stop(fd, b->loops, pids) != OK)
        v = FAIL;
    return v;
}

/* First read of n fresh pages (a kernel may map one shared zero page) ... */
static enum verdict
anon_read(const struct bench *b, struct result *r)
{
    unsigned char *p = map_anon(b->n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    u64 sum = 0;
    if (p == MAP_FAILED)
        return refused("mmap");
    start(r);
    for (u64 i = 0; i < b->n; i++)
        sum += ((volatile unsigned char *)p)[i * PAGE];
    stop(r, b->n);
    munmap(p, b->n * PAGE);
    return sum ? because(FAIL, "a fresh page was not zero") : OK;
}

/* ... and the first write after that read. */
static enum verdict
anon_upgrade(const struct bench *b, struct result *r)
{
    unsigned char *p = map_anon(b->n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    u64 sum = 0;
    if (p == MAP_FAILED)
        return refused("mmap");
    for (u64 i = 0; i < b->n; i++)
        sum += ((volatile unsigned char *)p)[i * PAGE];
    start(r);
    touch(p, b->n, 1);
    stop(r, b->n);
    for (u64 i = 0; i < b->n; i++)
        sum += (p[i * PAGE] != 1) + p[i * PAGE + 8];
    munmap(p, b->n * PAGE);
    return sum ? because(FAIL, "a fresh page was not zero") : OK;
}

/* Each call pushes one more page of stack and writes to it. */
__attribute__((noinline)) static u64
descend(u64 depth)
{
    volatile unsigned char frame[PAGE - 64];
    frame[0] = (unsigned char)depth;
    u64 below = depth ? descend(depth - 1) : 0;
    return below + (frame[0] != (unsigned char)depth);
}

static enum verdict
stack_grow_child(const struct bench *b, struct result *r)
{
    u64 bad;
    start(r);
    bad = descend(b->n);
    stop(r, b->n);
    return bad ? because(FAIL, "a stack page lost its content") : OK;
}

static enum verdict
stack_grow(const struct bench *b, struct result *r)
{
    return in_child(b, r, stack_grow_child);
}

/*
 * A warm file mapped privately; reads n pages (or as many as it has), writes
 * them when b->loops is set, which makes private copies.
 */
static enum verdict
file_fault(const struct bench *b, struct result *r)
{
    struct stat st;
    int fd = open(file_path, O_RDONLY);
    if (fd < 0)
        return refused("open");
    if (fstat(fd, &st) < 0 || (size_t)st.st_size < 2 * PAGE) {
        close(fd);
        return because(SKIP, "%s is too small", file_path);
    }
    u64 pages = (u64)st.st_size / PAGE;
    if (pages > b->n)
        pages = b->n;

    unsigned char *ref = malloc(pages), buf[64];
    for (u64 i = 0; i < pages; i++) { /* warms the cache, keeps one byte each */
        if (lseek(fd, (off_t)(i * PAGE), SEEK_SET) < 0 || !read_all(fd, buf, sizeof buf)) {
            close(fd);
            return refused("read");
        }
        ref[i] = buf[0];
    }
    unsigned char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        close(fd);
        free(ref);
        return refused("mmap file");
    }
    u64 sum = 0, want = 0, bad = 0;
    if (b->loops) {
        start(r);
        touch(p, pages, 0xa5);
        stop(r, pages);
        for (u64 i = 0; i < pages; i++) { /* the file itself must be unchanged */
            bad += p[i * PAGE] != 0xa5;
            lseek(fd, (off_t)(i * PAGE), SEEK_SET);
            bad +=
                !read_all(fd, buf, sizeof buf) || buf[0] != ref[i] || buf[1] != p[i * PAGE + 1];
        }
    } else {
        start(r);
        for (u64 i = 0; i < pages; i++)
            sum += ((volatile unsigned char *)p)[i * PAGE];
        stop(r, pages);
        for (u64 i = 0; i < pages; i++)
            want += ref[i];
        bad = sum != want;
    }
    munmap(p, pages * PAGE);
    free(ref);
    close(fd);
    return bad ? because(FAIL, "mapped bytes differ from the file's") : OK;
}

/*
 * The same with a file whose pages must come from the disk.  Asking the kernel to
 * forget them is only a hint, so mincore() says first whether it did.
 */
static enum verdict
file_cold(const struct bench *b, struct result *r)
{
    struct stat st;
    unsigned char *in, sum = 0;
    if (!cold_path)
        return because(SKIP, "no file on a disk given (-c)");
    int fd = open(cold_path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) < 0)
        return refused("open");
    u64 pages = (u64)st.st_size / PAGE < b->n ? (u64)st.st_size / PAGE : b->n, warm = 0;
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    unsigned char *p = mmap(NULL, pages * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED || !(in = calloc(pages, 1)))
        return refused("mmap file");
    if (mincore(p, pages * PAGE, in) < 0)
        return refused("mincore");
    for (u64 i = 0; i < pages; i++)
        warm += in[i] & 1;
    if (warm)
        return because(SKIP, "%llu pages stayed in the cache", (unsigned long long)warm);
    start(r);
    for (u64 i = 0; i < pages; i++)
        sum ^= ((volatile unsigned char *)p)[i * PAGE];
    stop(r, pages);
    for (u64 i = 0; i < pages; i++) {
        unsigned char c = 0;
        if (pread(fd, &c, 1, (off_t)(i * PAGE)) != 1)
            return refused("pread");
        sum ^= c;
    }
    munmap(p, pages * PAGE);
    free(in);
    close(fd);
    return sum ? because(FAIL, "mapped bytes differ from the file's") : OK;
}

/* ------------------------------------------------------------------------ */
/* Throughput                                                                */

enum { CHUNK = 65536 };

/* Two buffers, mapped for one metric: what stays resident would cost every later fork. */
static unsigned char *chunk, *chunk_back;

static int
chunks_map(void)
{
    chunk = map_anon(2 * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (chunk == MAP_FAILED)
        return 0;
    memset(chunk, 0x5a, CHUNK);
    memset(chunk + CHUNK, 0, CHUNK);
    chunk_back = chunk + CHUNK;
    return 1;
}

/* The child of pipe_bytes: writes the first chunk n times. */
static void
chunks_write(int fd, u64 n)
{
    for (u64 i = 0; i < n; i++)
        for (size_t done = 0; done < CHUNK;) {
            ssize_t k = write(fd, chunk + done, CHUNK - done);
            if (k <= 0)
                _exit(1);
            done += (size_t)k;
        }
    _exit(0);
}

/* A child writes b->loops chunks of 64 KiB into a pipe, its parent reads them; per KiB. */
static enum verdict
pipe_bytes(const struct bench *b, struct result *r)
{
    int fd[2];
    u64 bad = 0;
    if (!chunks_map() || pipe(fd) < 0)
        return refused("pipe");
    pid_t pid = fork();
    if (pid < 0)
        return refused("fork");
    if (pid == 0)
        chunks_write(fd[1], b->loops);
    close(fd[1]);
    start(r);
    for (u64 i = 0; i < b->loops; i++)
        bad += !read_all(fd[0], chunk_back, CHUNK);
    stop(r, b->loops * CHUNK / 1024);
    bad += memcmp(chunk, chunk_back, CHUNK) != 0;
    munmap(chunk, 2 * CHUNK);
    close(fd[0]);
    return reap(pid) || bad ? because(FAIL, "bytes were lost in the pipe") : OK;
}

/* read() of a warm file from its begin, 64 KiB at a time, b->loops times; per KiB. */
static enum verdict
file_bytes(const struct bench *b, struct result *r)
{
    u64 bad = 0;
    int fd = open(file_path, O_RDONLY);
    if (fd < 0 || !chunks_map())
        return refused("open");
    if (!read_all(fd, chunk, CHUNK))
        return because(SKIP, "%s is too small", file_path);
    start(r);
    for (u64 i = 0; i < b->loops; i++)
        bad += lseek(fd, 0, SEEK_SET) != 0 || !read_all(fd, chunk_back, CHUNK);
    stop(r, b->loops * CHUNK / 1024);
    close(fd);
    bad += memcmp(chunk, chunk_back, CHUNK) != 0;
    munmap(chunk, 2 * CHUNK);
    return bad ? because(FAIL, "the file changed") : OK;
}

/* ------------------------------------------------------------------------ */
/* Faults on several processors at once                                      */

enum { WORKERS_MOST = 4 };

struct meeting { /* in shared memory: who has arrived, and whether they may go */
    volatile int ready, go, bad;
};

struct worker {
    struct meeting *meeting;
    u64 pages;
};

/* One worker: maps its own pages, waits until all are there, and writes to each. */
static void *
fault_worker(void *arg)
{
    struct worker *w = arg;
    unsigned char *p = map_anon(w->pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    __atomic_add_fetch(&w->meeting->ready, 1, __ATOMIC_SEQ_CST);
    while (!w->meeting->go)
        sched_yield();
    if (p == MAP_FAILED) {
        w->meeting->bad = 1;
        return NULL;
    }
    touch(p, w->pages, 1);
    for (u64 i = 0; i < w->pages; i++)
        if (p[i * PAGE] != 1 || p[i * PAGE + 8])
            w->meeting->bad = 1;
    munmap(p, w->pages * PAGE);
    return NULL;
}

/* Lets n workers go and times them until the last has ended, which end() waits for. */
static enum verdict
workers_run(struct meeting *m, u64 n, u64 pages, struct result *r, int (*end)(u64))
{
    while (m->ready < (int)n)
        sched_yield();
    start(r);
    m->go = 1;
    int failed = end(n);
    stop(r, n * pages);
    int bad = m->bad;
    munmap(m, PAGE);
    return failed || bad ? because(FAIL, "a worker failed") : OK;
}

static pthread_t threads[WORKERS_MOST];
static pid_t children[WORKERS_MOST];

static int
threads_end(u64 n)
{
    int bad = 0;
    for (u64 i = 0; i < n; i++)
        bad |= pthread_join(threads[i], NULL);
    return bad;
}

static int
children_end(u64 n)
{
    int bad = 0;
    for (u64 i = 0; i < n; i++)
        bad |= reap(children[i]);
    return bad;
}

/* First write, check and munmap of b->loops pages in each of n threads of this process. */
static enum verdict
fault_threads(const struct bench *b, struct result *r)
{
    struct meeting *m = (void *)map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    if (m == MAP_FAILED)
        return refused("mmap shared");
    struct worker w = {m, b->loops};
    for (u64 i = 0; i < b->n; i++)
        if (pthread_create(&threads[i], NULL, fault_worker, &w))
            return refused("clone");
    return workers_run(m, b->n, b->loops, r, threads_end);
}

/* The same in n processes. */
static enum verdict
fault_processes(const struct bench *b, struct result *r)
{
    struct meeting *m = (void *)map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    if (m == MAP_FAILED)
        return refused("mmap shared");
    struct worker w = {m, b->loops};
    for (u64 i = 0; i < b->n; i++)
        if ((children[i] = fork()) == 0) {
            fault_worker(&w);
            _exit(0);
        } else if (children[i] < 0)
            return refused("fork");
    return workers_run(m, b->n, b->loops, r, children_end);
}

/* ------------------------------------------------------------------------ */
/* Copy on write                                                             */

static unsigned char *cow_mem;

static enum verdict
cow_write_child(const struct bench *b, struct result *r)
{
    start(r);
    touch(cow_mem, b->n, 2);
    stop(r, b->n);
    for (u64 i = 0; i < b->n; i++)
        if (cow_mem[i * PAGE] != 2 || cow_mem[i * PAGE + 9] != 0)
            return because(FAIL, "the child's copy is damaged");
    return OK;
}

/* The child writes n pages it shares with its parent: n copies. */
static enum verdict
cow_write(const struct bench *b, struct result *r)
{
    cow_mem = map_anon(b->n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (cow_mem == MAP_FAILED)
        return refused("mmap");
    touch(cow_mem, b->n, 1);
    enum verdict v = in_child(b, r, cow_write_child);
    for (u64 i = 0; i < b->n; i++)
        if (cow_mem[i * PAGE] != 1)
            v = because(FAIL, "the child's write reached its parent");
    munmap(cow_mem, b->n * PAGE);
    return v;
}

/* The child is gone; the parent writes its pages again: no copy is needed. */
static enum verdict
cow_reuse(const struct bench *b, struct result *r)
{
    unsigned char *p = map_anon(b->n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (p == MAP_FAILED)
        return refused("mmap");
    touch(p, b->n, 1);
    pid_t pid = fork();
    if (pid < 0)
        return refused("fork");
    if (pid == 0)
        _exit(0);
    int st = reap(pid);
    start(r);
    touch(p, b->n, 2);
    stop(r, b->n);
    munmap(p, b->n * PAGE);
    return st ? because(FAIL, "child ended with status %d", st) : OK;
}

/* ------------------------------------------------------------------------ */
/* Processes                                                                 */

/* fork + _exit + waitpid with n more pages resident. */
static enum verdict
fork_exit(const struct bench *b, struct result *r)
{
    unsigned char *p = NULL;
    u64 bad = 0;
    if (b->n) {
        p = map_anon(b->n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        if (p == MAP_FAILED)
            return refused("mmap");
        touch(p, b->n, 1);
    }
    start(r);
    for (u64 i = 0; i < b->loops; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(3);
        bad += pid < 0 || reap(pid) != 3;
    }
    stop(r, b->loops);
    if (p)
        munmap(p, b->n * PAGE);
    return bad ? because(FAIL, "%llu forks failed", (unsigned long long)bad) : OK;
}

/* fork + execve + waitpid; n picks the program: 0 this one, 1 the tiny one. */
static enum verdict
fork_exec(const struct bench *b, struct result *r)
{
    const char *path = b->n ? tiny_path : self_path;
    char *argv[] = {(char *)path, "--exit", NULL}, *envp[] = {NULL};
    u64 bad = 0;
    if (access(path, X_OK) < 0) {
        int fd = open(path, O_RDONLY); /* a kernel may lack access() */
        if (fd < 0)
            return because(SKIP, "no program %s", path);
        close(fd);
    }
    start(r);
    for (u64 i = 0; i < b->loops; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execve(path, argv, envp);
            _exit(1);
        }
        bad += pid < 0 || reap(pid) != 0;
    }
    stop(r, b->loops);
    return bad ? because(FAIL, "%llu starts failed", (unsigned long long)bad) : OK;
}

/* Memory the kernel spends on one more process that only sleeps. */
static enum verdict
proc_memory(const struct bench *b, struct result *r)
{
    pid_t pids[64];
    struct sysinfo before, after;
    if (sysinfo(&before) < 0)
        return refused("sysinfo");
    int fd = sleepers_start(b->n, pids);
    if (fd < 0)
        return refused("fork");
    start(r);
    sysinfo(&after);
    stop(r, b->n);
    u64 b0 = (u64)before.freeram * before.mem_unit, b1 = (u64)after.freeram * after.mem_unit;
    r->ns = r->ticks = b0 > b1 ? b0 - b1 : 0; /* bytes in place of time */
    return sleepers_stop(fd, b->n, pids);
}

/* ------------------------------------------------------------------------ */
/* Mappings                                                                  */

/* mmap + munmap of one page, which is written in between if n is set. */
static enum verdict
map_unmap(const struct bench *b, struct result *r)
{
    u64 bad = 0;
    start(r);
    for (u64 i = 0; i < b->loops; i++) {
        unsigned char *p = map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        if (p == MAP_FAILED)
            return refused("mmap");
        if (b->n)
            *(volatile unsigned char *)p = 1;
        bad += munmap(p, PAGE) != 0;
    }
    stop(r, b->loops);
    return bad ? because(FAIL, "munmap failed") : OK;
}

/* Only the munmap of n resident pages is timed. */
static enum verdict
unmap_big(const struct bench *b, struct result *r)
{
    unsigned char *p = map_anon(b->n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (p == MAP_FAILED)
        return refused("mmap");
    touch(p, b->n, 1);
    start(r);
    int bad = munmap(p, b->n * PAGE);
    stop(r, b->n);
    return bad ? because(FAIL, "munmap: errno %d", errno) : OK;
}

/* One mprotect of n resident pages to read-only and one back, per page. */
static enum verdict
protect(const struct bench *b, struct result *r)
{
    size_t len = b->n * PAGE;
    unsigned char *p = map_anon(len + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (p == MAP_FAILED)
        return refused("mmap");
    touch(p, b->n + 2, 1);
    u64 bad = 0;
    start(r);
    for (u64 i = 0; i < b->loops; i++) {
        bad += mprotect(p + PAGE, len, PROT_READ) != 0;
        bad += mprotect(p + PAGE, len, PROT_READ | PROT_WRITE) != 0;
        p[PAGE] = (unsigned char)i; /* a lazy kernel pays for one page here */
    }
    stop(r, b->n == 1 ? b->loops * 2 : b->loops * 2 * b->n);
    munmap(p, len + 2 * PAGE);
    return bad ? because(FAIL, "mprotect failed") : OK;
}

/*
 * n neighbouring regions that cannot be merged (every other one is read-only).
 * Times the first write to pages of the writable ones in random order, or,
 * with b->loops set, mapping and unmapping one more page.
 */
static enum verdict
many_regions(const struct bench *b, struct result *r)
{
    u64 n = b->n, bad = 0;
    size_t len = 2 * n * PAGE;
    unsigned char *p = map_anon(len, PROT_READ, MAP_PRIVATE);
    uint32_t *order = malloc(n * sizeof *order);
    if (p == MAP_FAILED || !order)
        return refused("mmap");
    for (u64 i = 0; i < n; i++) {
        order[i] = (uint32_t)i;
        if (mprotect(p + 2 * i * PAGE, PAGE, PROT_READ | PROT_WRITE) < 0) {
            munmap(p, len);
            free(order);
            return refused("mprotect");
        }
    }
    for (u64 i = n - 1; i > 0; i--) {
        u64 k = rnd() % (i + 1);
        uint32_t t = order[i];
        order[i] = order[k], order[k] = t;
    }
    touch(p, 1, 1); /* the tables above the leaf exist before the clock starts */
    if (b->loops) {
        start(r);
        for (u64 i = 0; i < b->loops; i++) {
            void *q = map_anon(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
            bad += q == MAP_FAILED || munmap(q, PAGE) != 0;
        }
        stop(r, b->loops);
    } else {
        start(r);
        for (u64 i = 0; i < n; i++)
            ((volatile unsigned char *)p)[2 * order[i] * PAGE] = 1;
        stop(r, n);
    }
    munmap(p, len);
    free(order);
    return bad ? because(FAIL, "mmap or munmap failed") : OK;
}

/* Random reads over n resident pages: what the TLB and page walks cost. */
static enum verdict
random_access(const struct bench *b, struct result *r)
{
    unsigned char *p = map_anon(b->n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (p == MAP_FAILED)
        return refused("mmap");
    touch(p, b->n, 1);
    u64 sum = 0, x = 1;
    start(r);
    for (u64 i = 0; i < b->loops; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        sum += ((volatile unsigned char *)p)[(x >> 33) % b->n * PAGE];
    }
    stop(r, b->loops);
    munmap(p, b->n * PAGE);
    return sum == b->loops ? OK : because(FAIL, "a page lost its content");
}

/* ------------------------------------------------------------------------ */
/* Swap: a working set larger than memory, every cache line checked          */

static unsigned char *swap_mem, *swap_gen; /* gen: how often a page changed */
static u64 swap_pages;

static u64
swap_word(u64 page, u64 line)
{
    return (page << 20 ^ line << 8 ^ swap_gen[page]) * 0x9e3779b97f4a7c15u;
}

static void
swap_put(u64 page)
{
    volatile u64 *w = (void *)(swap_mem + page * PAGE);
    for (u64 i = 0; i < PAGE / 64; i++)
        w[i * 8] = swap_word(page, i);
}

static u64
swap_check(u64 page)
{
    volatile u64 *w = (void *)(swap_mem + page * PAGE);
    u64 bad = 0;
    for (u64 i = 0; i < PAGE / 64; i++)
        bad += w[i * 8] != swap_word(page, i);
    return bad;
}

static enum verdict
swap_fill(const struct bench *b, struct result *r)
{
    (void)b;
    if (!swap_mib)
        return because(SKIP, "no working set given (-w)");
    if (swap_mem)
        munmap(swap_mem, swap_pages * PAGE);
    swap_pages = swap_mib * (MIB / PAGE);
    swap_mem = map_anon(swap_pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
    if (swap_mem == MAP_FAILED) {
        swap_mem = NULL;
        return refused("mmap");
    }
    if (!swap_gen)
        swap_gen = calloc(swap_pages, 1);
    start(r);
    for (u64 i = 0; i < swap_pages; i++)
        swap_put(i);
    stop(r, swap_pages);
    return OK;
}

/* n == 0: all pages in order; else one page in n, at random.  loops: rewrite. */
static enum verdict
swap_pass(const struct bench *b, struct result *r)
{
    if (!swap_mem)
        return because(SKIP, "no working set in place (-w, swap_fill)");
    u64 ops = b->n ? swap_pages / b->n : swap_pages, bad = 0;
    start(r);
    for (u64 i = 0; i < ops; i++) {
        u64 page = b->n ? rnd() % swap_pages : i;
        bad += swap_check(page) != 0;
        if (b->loops) {
            swap_gen[page]++;
            swap_put(page);
        }
    }
    stop(r, ops);
    return bad ? because(FAIL, "%llu damaged pages", (unsigned long long)bad) : OK;
}

/* ------------------------------------------------------------------------ */
/* The metrics                                                               */

#define MB(n) ((n)*MIB / PAGE)

static const struct bench benches[] = {
    {"null_syscall", "ns/call", null_syscall, 0, 20000, "getppid()"},
    {"pipe_switch", "ns/switch", pipe_ring, 2, 4000, "one byte to the other process"},
    {"pipe_ring16", "ns/switch", pipe_ring, 16, 4000, "the same, 16 processes in a ring"},
    {"pipe_ring64", "ns/switch", pipe_ring, 64, 4032, "the same, 64 processes in a ring"},
    {"shared_ping", "ns/switch", shared_ping, 0, 2000,
     "sched_yield ping-pong on shared memory"},
    {"signal_self", "ns/signal", signal_self, 0, 3000, "kill(self), handler, return"},
    {"trap_unprot", "ns/trap", trap_unprotect, 1024, 0, "SIGSEGV, handler unprotects, return"},
    {"trap_prot1", "ns/trap", trap_unprotect, 64, 2048, "the same and protects one other page"},

    {"anon_write", "ns/page", anon_write, MB(16), 0, "first write to an anonymous page"},
    {"anon_write_p32", "ns/page", anon_write, MB(8), 32,
     "the same beside 32 sleeping processes"},
    {"anon_read", "ns/page", anon_read, MB(16), 0, "first read of an anonymous page"},
    {"anon_upgrade", "ns/page", anon_upgrade, MB(8), 0, "first write after that read"},
    {"stack_grow", "ns/page", stack_grow, 1024, 0, "one more page of stack by recursion"},
    {"file_read", "ns/page", file_fault, MB(8), 0, "read a page of a warm mapped file"},
    {"file_cow", "ns/page", file_fault, MB(8), 1, "write a page of a private file mapping"},
    {"file_cold", "ns/page", file_cold, MB(8), 0,
     "read a page of a mapped file from the disk (-c)"},
    {"file_bytes", "ns/KiB", file_bytes, 0, 200, "read() of a warm file, 64 KiB at a time"},
    {"pipe_bytes", "ns/KiB", pipe_bytes, 0, 64, "64 KiB at a time through a pipe"},
    {"threads_1", "ns/page", fault_threads, 1, MB(8),
     "first write, check and munmap in a thread"},
    {"threads_2", "ns/page", fault_threads, 2, MB(4),
     "in 2 threads at once, on as many processors"},
    {"threads_4", "ns/page", fault_threads, 4, MB(2), "in 4"},
    {"processes_1", "ns/page", fault_processes, 1, MB(8), "the same in a process"},
    {"processes_2", "ns/page", fault_processes, 2, MB(4), "in 2 processes at once"},
    {"processes_4", "ns/page", fault_processes, 4, MB(2), "in 4"},
    {"cow_write", "ns/page", cow_write, MB(8), 0, "child writes a page shared by fork"},
    {"cow_reuse", "ns/page", cow_reuse, MB(8), 0, "parent writes after its child ended"},

    {"fork_0m", "ns/fork", fork_exit, 0, 100, "fork, _exit, waitpid"},
    {"fork_1m", "ns/fork", fork_exit, MB(1), 50, "with 1 MiB resident"},
    {"fork_8m", "ns/fork", fork_exit, MB(8), 20, "with 8 MiB resident"},
    {"fork_64m", "ns/fork", fork_exit, MB(64), 5, "with 64 MiB resident"},
    {"exec_tiny", "ns/exec", fork_exec, 1, 50, "fork, execve of a one-page program, wait"},
    {"exec_self", "ns/exec", fork_exec, 0, 50, "fork, execve of this program, wait"},
    {"proc_mem", "B/proc", proc_memory, 64, 0, "memory taken by one sleeping child"},

    {"map_1p", "ns/pair", map_unmap, 0, 3000, "mmap + munmap of one page"},
    {"map_touch_1p", "ns/pair", map_unmap, 1, 3000, "the same with a write in between"},
    {"unmap_64m", "ns/page", unmap_big, MB(64), 0, "munmap of 64 MiB resident"},
    {"protect_1p", "ns/call", protect, 1, 2000, "mprotect of a page inside a region"},
    {"protect_4m", "ns/page", protect, MB(4), 20, "mprotect of 4 MiB resident"},
    {"regions_16", "ns/page", many_regions, 16, 0, "first write to pages of 2 x 16 regions"},
    {"regions_256", "ns/page", many_regions, 256, 0, "of 2 x 256 regions"},
    {"regions_4096", "ns/page", many_regions, 4096, 0, "of 2 x 4096 regions"},
    {"map_among_4096", "ns/pair", many_regions, 4096, 2000,
     "mmap + munmap beside 2 x 4096 regions"},

    {"access_1m", "ns/access", random_access, MB(1), 200000, "random reads over 1 MiB"},
    {"access_64m", "ns/access", random_access, MB(64), 200000, "random reads over 64 MiB"},

    {"swap_fill", "ns/page", swap_fill, 0, 0, "first write of the working set (-w)"},
    {"swap_seq", "ns/page", swap_pass, 0, 0, "check it in order"},
    {"swap_rand", "ns/page", swap_pass, 4, 0, "check a quarter of it at random"},
    {"swap_update", "ns/page", swap_pass, 4, 1, "check and rewrite a quarter at random"},
};

#define N_BENCHES (sizeof benches / sizeof *benches)

/* ------------------------------------------------------------------------ */
/* Running and reporting                                                     */

static int
by_value(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return (x > y) - (x < y);
}

/* total/ops with two decimals, in integers */
static const char *
per_op(u64 total, u64 ops, char *out, size_t size)
{
    u64 hundredths = ops ? (total * 100 + ops / 2) / ops : 0;
    snprintf(out, size, "%llu.%02llu", (unsigned long long)(hundredths / 100),
             (unsigned long long)(hundredths % 100));
    return out;
}

static enum verdict
run_one(const struct bench *b, int reps)
{
    u64 ns[MAX_REPS], ticks[MAX_REPS], ops = 0, major = 0;
    char t[4][32];
    for (int i = 0; i < reps; i++) {
        struct result r = {0};
        enum verdict v = b->run(b, &r);
        if (v != OK) {
            printf("vmbench-%s %s %s\n", v == SKIP ? "skip" : "fail", b->name, why);
            return v;
        }
        ns[i] = r.ns;
        ticks[i] = r.ticks;
        ops = r.ops;
        major = r.major;
    }
    if (major)
        printf("vmbench-major %s %llu\n", b->name, (unsigned long long)major);
    qsort(ns, (size_t)reps, sizeof *ns, by_value);
    qsort(ticks, (size_t)reps, sizeof *ticks, by_value);
    /* Freed kernel memory may stay in caches: only the largest step is real. */
    int pick = b->unit[0] == 'B' ? reps - 1 : reps / 2;
    printf("vmbench %s %s %s %llu %s %s %s\n", b->name, b->unit,
           per_op(ns[pick], ops, t[0], sizeof t[0]), (unsigned long long)ops,
           per_op(ticks[pick], ops, t[1], sizeof t[1]),
           per_op(ticks[0], ops, t[2], sizeof t[2]),
           per_op(ticks[reps - 1], ops, t[3], sizeof t[3]));
    return OK;
}

static int
wanted(const char *name, char **list)
{
    if (!*list)
        return 1;
    for (; *list; list++) {
        size_t n = strlen(*list);
        if (n && (*list)[n - 1] == '*' ? !strncmp(name, *list, n - 1) : !strcmp(name, *list))
            return 1;
    }
    return 0;
}

/* pid 1 must not return: stop the machine, or at least stop working. */
static void
finish(int status)
{
    fflush(stdout);
    if (getpid() != 1)
        exit(status);
    sync();
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

int
main(int argc, char **argv)
{
    int reps = 3, c;
    if (argc > 1 && !strcmp(argv[1], "--exit"))
        return 0; /* what exec_self starts */
    self_path = file_path = argc > 0 ? argv[0] : "/vmbench";
    while ((c = getopt(argc, argv, "r:f:c:x:w:l")) != -1)
        switch (c) {
        case 'r':
            reps = atoi(optarg);
            break;
        case 'f':
            file_path = optarg;
            break;
        case 'c':
            cold_path = optarg;
            break;
        case 'x':
            tiny_path = optarg;
            break;
        case 'w':
            swap_mib = (u64)atoi(optarg);
            break;
        case 'l':
            for (size_t i = 0; i < N_BENCHES; i++)
                printf("%-15s %-10s %s\n", benches[i].name, benches[i].unit, benches[i].what);
            finish(0);
            return 0;
        default:
            printf("usage: vmbench [-r reps] [-f file] [-c file] [-x tiny] [-w mib] [-l] "
                   "[name...]\n");
            finish(2);
        }
    if (reps < 1 || reps > MAX_REPS)
        reps = 3;

    unsigned count[3] = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("# vmbench reps=%d name unit value ops ticks min_ticks max_ticks\n", reps);
    for (size_t i = 0; i < N_BENCHES; i++)
        if (wanted(benches[i].name, argv + optind)) {
            count[run_one(&benches[i], reps)]++;
            fflush(stdout); /* before the next fork copies the buffer */
        }
    printf("vmbench-done %u %u %u\n", count[OK], count[SKIP], count[FAIL]);
    if (!(count[OK] + count[SKIP] + count[FAIL]))
        finish(2); /* no metric has such a name */
    finish(count[FAIL] ? 1 : 0);
    return 0;
}
