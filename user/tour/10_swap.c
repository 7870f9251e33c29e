/*
 * Chapter 10: a program that uses more memory than there is, with the help of a disk.
 *
 * Where RAM is plenty, or swap is not, the kernel is only asked to put 4 MiB out (madvise).
 */
#include "tour.h"

#define MIB   256L /* pages */
#define WORDS (PAGE / sizeof(long))

static unsigned long *p;

static long
meminfo(const char *name)
{
    return number("/proc/meminfo", name) / 4;
}

static void
show(const char *what, long n)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    say("    %-25s %6zu   %7zu   %7ld   %9ld   %7ld\n", what,
        count_pages((char *)p, n, PRESENT), count_pages((char *)p, n, SWAPPED),
        number("/proc/vmstat", "pswpout"), number("/proc/vmstat", "pswpin"), u.ru_majflt);
}

/* Every word of the block has a value of its own; how many pages are not as they should be. */
static long
wrong_pages(long n)
{
    long wrong = 0;

    for (unsigned long k = 0; k < (unsigned long)n; k++) {
        unsigned long i = 0;
        while (i < WORDS && p[k * WORDS + i] == (k * WORDS + i) * 2654435761UL)
            i++;
        wrong += i < WORDS;
    }
    return wrong;
}

int
main(void)
{
    long ram = meminfo("MemAvailable:"), swap = meminfo("SwapFree:"), n = ram + 4 * MIB;
    int little = n > 160 * MIB || swap < 12 * MIB;

    n = little ? 4 * MIB : n;
    begin(10);
    say("Of %ld MiB of RAM %ld MiB can be had, and there are %ld MiB of swap. The\n"
        "program fills %ld MiB with numbers, and then looks whether they are still there.\n\n"
        "                               its pages         pages moved so far       its\n"
        "                              in RAM   in swap   to disk   from disk     waits\n",
        meminfo("MemTotal:") / MIB, ram / MIB, swap / MIB, n / MIB);
    p = (unsigned long *)pages((size_t)n);
    for (unsigned long k = 0; k < n * WORDS; k++)
        p[k] = k * 2654435761UL;
    if (little)
        madvise(p, n * PAGE, MADV_PAGEOUT);
    show("when all were written", n);
    size_t out = count_pages((char *)p, n, SWAPPED);
    long wrong = wrong_pages(n);
    show("when all were read again", n);
    say("\n%ld of %ld pages hold what was stored.\n", n - wrong, n);
    if (out == 0)
        say("Nothing had to go. To see it: ./vm boot --mem 32M --swap 64M, then tour 10.\n");
    say("\nWhen frames get scarce, the pager looks for pages that were not used lately,\n"
        "writes them to the disk, and gives their frames away. The next access faults,\n"
        "and the page comes back, into any frame. Pages of files are simply read again.\n");
    return wrong == 0 ? 0 : 1;
}
