/*
 * mlock_rules.c - mlock, mlock2, munlock, mlockall: what they accept, refuse and count.
 *
 * RLIMIT_MEMLOCK binds those who are not root, so part of it runs as another user where it can.
 */
#include "test.h"

#include <sys/prctl.h>

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

/* VmLck of this process in KiB. */
static long
locked(void)
{
    char buf[4096];
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t n = read(fd, buf, sizeof(buf) - 1);

    close(fd);
    buf[n > 0 ? n : 0] = '\0';
    char *line = strstr(buf, "VmLck:");
    return line == NULL ? -1 : atol(line + 6);
}

/* The lines "Locked:" of /proc/self/smaps, in KiB: what of locked regions is in memory. */
static long
locked_in_memory(void)
{
    static char buf[64 << 10];
    int fd = open("/proc/self/smaps", O_RDONLY);
    size_t n = 0;
    ssize_t got;
    long sum = 0;

    while (n < sizeof(buf) - 1 && (got = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
        n += (size_t)got;
    close(fd);
    buf[n] = '\0';
    for (char *line = buf; (line = strstr(line, "\nLocked:")) != NULL; line += 8)
        sum += atol(line + 8);
    return sum;
}

static void
result(const char *what, long r)
{
    say("%s: %s, %ld KiB are locked\n", what, r == 0 ? "ok" : errno_name(errno), locked());
}

/* How many of the pages are in memory. */
static int
resident(void *p, int pages)
{
    unsigned char vec[64];
    int n = 0;

    if (mincore(p, pages * PAGE, vec) != 0)
        return -1;
    for (int i = 0; i < pages; i++)
        n += vec[i] & 1;
    return n;
}

static char *
map(int pages, int prot, int flags)
{
    return mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static void
ranges(void)
{
    char *p = map(16, PROT_READ | PROT_WRITE, 0);

    result("four pages", mlock(p, 4 * PAGE));
    say("resident: %d of 16\n", resident(p, 16));
    result("the same again", mlock(p, 4 * PAGE));
    result("two bytes across a border", mlock(p + 6 * PAGE - 1, 2));
    say("resident: %d of 16\n", resident(p, 16));
    result("nothing", mlock(p, 0));
    result("on fault", syscall(SYS_mlock2, p + 8 * PAGE, 4 * PAGE, MLOCK_ONFAULT));
    say("resident: %d of 16\n", resident(p, 16));
    p[8 * PAGE] = 1;
    result("a flag that there is not", syscall(SYS_mlock2, p, PAGE, 2));
    result("a range that wraps", mlock(p, -(size_t)PAGE));
    result("the last page of all", mlock((void *)-PAGE, PAGE));

    munmap(p + 2 * PAGE, PAGE);
    result("after a hole was made", munlock(p, PAGE));
    result("over the hole", mlock(p, 4 * PAGE));
    result("unlocking over the hole", munlock(p, 4 * PAGE));
    mprotect(p + 12 * PAGE, PAGE, PROT_NONE);
    result("what may not be touched", mlock(p + 12 * PAGE, PAGE));
    munlock(p + 12 * PAGE, PAGE);

    errno = 0;
    result("MADV_DONTNEED of locked pages", madvise(p + 5 * PAGE, PAGE, MADV_DONTNEED));
    result("MADV_FREE of locked pages", madvise(p + 5 * PAGE, PAGE, MADV_FREE));
    result("MS_INVALIDATE of locked pages", msync(p + 5 * PAGE, PAGE, MS_INVALIDATE));

    pid_t child = fork();
    if (child == 0) {
        say("a child has %ld KiB locked\n", locked());
        _exit(0);
    }
    waitpid(child, NULL, 0);
    result("unlocked", munlock(p + 3 * PAGE, 13 * PAGE));
    mlock(p, 2 * PAGE);
    munmap(p, 16 * PAGE);
    say("unmapped: %ld KiB\n", locked());
}

static void
by_mapping(void)
{
    char *p = map(8, PROT_READ | PROT_WRITE, MAP_LOCKED);

    say("MAP_LOCKED: %d of 8 are resident, %ld KiB are locked\n", resident(p, 8), locked());
    say("smaps: %ld KiB\n", locked_in_memory());
    p = mremap(p, 8 * PAGE, 12 * PAGE, MREMAP_MAYMOVE);
    say("grown: %d of 12, %ld KiB\n", resident(p, 12), locked());
    p = mremap(p, 12 * PAGE, 4 * PAGE, 0);
    say("shrunk: %d of 4, %ld KiB\n", resident(p, 4), locked());
    munmap(p, 4 * PAGE);
}

static void
all(void)
{
    errno = 0;
    say("mlockall 0: %d", mlockall(0));
    say(" %s\n", errno_name(errno));
    errno = 0;
    say("mlockall of an unknown flag: %d", mlockall(8));
    say(" %s\n", errno_name(errno));
    errno = 0;
    say("mlockall of nothing, on fault: %d", mlockall(MCL_ONFAULT));
    say(" %s\n", errno_name(errno));

    say("the future: %d\n", mlockall(MCL_FUTURE));
    say("nothing yet: %ld KiB\n", locked());
    char *p = map(8, PROT_READ | PROT_WRITE, 0);
    say("a mapping: %d of 8, %ld KiB\n", resident(p, 8), locked());
    say("the future on fault: %d\n", mlockall(MCL_FUTURE | MCL_ONFAULT));
    char *q = map(8, PROT_READ | PROT_WRITE, 0);
    q[0] = 1;
    say("a mapping: %d of 8, %ld KiB\n", resident(q, 8), locked());
    say("all of now: %d\n", mlockall(MCL_CURRENT));
    say("something is: %d, all pages of it: %d %d\n", locked() > 64, resident(p, 8),
        resident(q, 8));
    munmap(q, 8 * PAGE);
    munlockall();
    say("munlockall: %ld KiB\n", locked());
    munmap(p, 8 * PAGE);
}

static void
limits(void)
{
    struct rlimit r = {4 * PAGE, 4 * PAGE};
    char *p = map(8, PROT_READ | PROT_WRITE, 0);

    setrlimit(RLIMIT_MEMLOCK, &r);
    if (setuid(65534) != 0)
        say("setuid failed\n");
    result("five pages of four", mlock(p, 5 * PAGE));
    result("four", mlock(p, 4 * PAGE));
    result("one more", mlock(p + 4 * PAGE, PAGE));
    result("the same four", mlock(p, 4 * PAGE));
    result("all", mlockall(MCL_CURRENT));
    errno = 0;
    say("MAP_LOCKED: %s", map(1, PROT_READ, MAP_LOCKED) == MAP_FAILED ? "no" : "yes");
    say(" %s\n", errno_name(errno));
    munlock(p, PAGE);
    say("MAP_LOCKED after one was unlocked: %s\n",
        map(1, PROT_READ, MAP_LOCKED) == MAP_FAILED ? "no" : "yes");
    r.rlim_cur = 0;
    setrlimit(RLIMIT_MEMLOCK, &r);
    result("with a limit of nothing", mlock(p, PAGE));
    errno = 0;
    say("MAP_LOCKED: %s", map(1, PROT_READ, MAP_LOCKED) == MAP_FAILED ? "no" : "yes");
    say(" %s\n", errno_name(errno));
}

int
main(void)
{
    ranges();
    by_mapping();
    all();

    pid_t child = fork();

    if (child == 0) {
        limits();
        _exit(0);
    }
    waitpid(child, NULL, 0);
    return 0;
}
