/*
 * Chapter 5: the TLB, the processor's memory of translations, and what makes it forget.
 *
 * The kernel counts what it makes the processor forget, in /proc/vmstat.  Linux does so
 * too, if it was built with CONFIG_DEBUG_TLBFLUSH.
 */
#include "tour.h"

static long ones, alls;

static void
look(void)
{
    ones = number("/proc/vmstat", "nr_tlb_local_flush_one");
    alls = number("/proc/vmstat", "nr_tlb_local_flush_all");
}

/* What was forgotten since the last line. */
static void
line(const char *what, const char *why)
{
    long one = ones, all = alls;

    look();
    if (ones == -1)
        say("    %-24s      -           -   %s\n", what, why);
    else
        say("    %-24s  %5ld  %10ld   %s\n", what, ones - one, alls - all, why);
    look();
}

int
main(void)
{
    begin(5);
    say("Four reads for each access would be slow, so the processor remembers what it\n"
        "found, in its TLB. It does not notice when an entry changes in RAM: the kernel\n"
        "must tell it to forget, page by page or, if there are many, everything.\n\n"
        "    what is done              pages  everything   why\n");
    look();
    char *p = pages(64);
    line("map 64 pages", "nothing was there");
    for (int k = 0; k < 64; k++)
        p[k * PAGE] = 1;
    line("store to each of them", "entries were added only");
    mprotect(p, PAGE, PROT_READ);
    line("make one read-only", "what it remembers allows more");
    mprotect(p, PAGE, PROT_READ | PROT_WRITE);
    p[0] = 2;
    line("make it writable, store", "a fault looks again anyway");
    munmap(p, 10 * PAGE);
    line("unmap 10 pages", "their frames get new owners");
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    ended(child);
    line("fork", "nothing is writable for now");

    say("\nTo allow more needs no forgetting: at worst the processor faults, and looks\n"
        "again. To allow less is real only when the TLB has forgotten: a frame that gets\n"
        "a new owner too early could still be read and written by the old one.\n"
        "What two processors have to tell each other is in chapter 13.\n");
    if (ones == -1)
        say("(This kernel does not count what its processors forget.)\n");
    return 0;
}
