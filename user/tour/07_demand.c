/*
 * Chapter 7: memory that is asked for costs nothing before it is touched.
 */
#include "tour.h"

#define COUNT 16384 /* pages: 64 MiB */

/* How many of the pages are in RAM: their words of pagemap, read a thousand at a time. */
static long
in_memory(const char *p)
{
    static uint64_t words[1024];
    int fd = open("/proc/self/pagemap", O_RDONLY);
    long count = 0;

    for (unsigned long k = 0; k < COUNT; k += 1024) {
        off_t at = (off_t)(((uintptr_t)p / PAGE + k) * sizeof(words[0]));
        must(pread(fd, words, sizeof(words), at) == sizeof(words), "/proc/self/pagemap");
        for (int i = 0; i < 1024; i++)
            count += words[i] >> 63;
    }
    close(fd);
    return count;
}

static long
show(const char *what, const char *p)
{
    static long last;
    long now = faults(), there = in_memory(p);

    say("    %-37s %7d   %7ld   %7ld\n", what, COUNT, there, last == 0 ? 0 : now - last);
    last = faults();
    return there;
}

int
main(void)
{
    char *p = pages(COUNT);

    in_memory(p);
    faults();
    begin(7);
    say("This program asks for 64 MiB; the whole machine has %ld MiB of RAM.\n\n",
        number("/proc/meminfo", "MemTotal:") / 1024);
    say("                                           pages    in RAM    faults\n");
    long mapped = show("after mmap", p);
    for (int k = 0; k < 10; k++)
        p[k * 1000 * PAGE] = 1;
    long touched = show("after a store to 10 pages", p);
    for (int k = 0; k < 100; k++)
        p[k * 100 * PAGE] = 1;
    long more = show("after a store to 100, 10 of them old", p);
    madvise(p, COUNT * PAGE, MADV_DONTNEED);
    long after = show("after madvise: I need them no more", p);
    p[0] = 1;
    show("after a store to 1 page", p);
    munmap(p, COUNT * PAGE);

    say("\nmmap only writes down that these addresses may be used. The first access to a\n"
        "page faults, and only then does the kernel find a frame for it, full of zeros.\n"
        "The same holds for programs: only those pages of them are read that are used.\n");
    return mapped == 0 && touched == 10 && more == 100 && after == 0 ? 0 : 1;
}
