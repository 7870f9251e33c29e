/*
 * tour.h - what the chapters of the tour share: their titles, and ways to look at memory.
 *
 * A chapter is one plain C program that does something real, measures it, and says what the numbers
 * mean on one screen of 80 by 24.  It runs on Linux too: what a system does not
 * tell is shown as "-".  Output goes straight to write(2), so a fork cannot print a buffer twice.
 */
#pragma once

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096UL
#define FIRST __attribute__((unused)) static /* not every chapter uses everything */

struct chapter {
    const char *program, *title, *read;
};

FIRST const struct chapter chapters[] = {
    {"01_one_address", "One address, two values", "mm/space.h"},
    {"02_before", "Before virtual memory", "mm/layout.h"},
    {"03_pages_and_frames", "Pages and frames", "mm/frame.h"},
    {"04_walk", "From an address to its frame", "mm/pagetable.c"},
    {"05_tlb", "What the processor remembers", "mm/tlb.c"},
    {"06_faults", "A page fault of each kind", "mm/fault.c"},
    {"07_demand", "Nothing before it is touched", "mm/demand.c"},
    {"08_stack", "The stack that grows", "mm/stack.c"},
    {"09_copy_on_write", "Copy on write", "mm/cow.c"},
    {"10_swap", "More memory than there is", "mm/reclaim.c"},
    {"11_segv", "What is not allowed", "kernel/proc/usertrap.c"},
    {"12_walls", "Walls, and doors that move", "mm/aslr.c"},
    {"13_two_processors", "Two processors, two memories", "mm/tlb.h"},
};
#define CHAPTERS (sizeof(chapters) / sizeof(chapters[0]))

/* say - print. */
__attribute__((format(printf, 1, 2))) FIRST void
say(const char *fmt, ...)
{
    char text[2048];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof(text) || write(1, text, n) != n)
        _exit(2);
}

/* begin - the two lines over chapter @n. */
FIRST void
begin(unsigned n)
{
    char file[64];

    snprintf(file, sizeof(file), "read %s", chapters[n - 1].read);
    say("%2u  %-41s %33s\n", n, chapters[n - 1].title, file);
    say("------------------------------------------------------------------------------\n");
}

/* must - leave when a step fails that all the rest stands on. */
FIRST void
must(int holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    _exit(2);
}

/* pages - @n pages of fresh memory. */
FIRST char *
pages(size_t n)
{
    void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    must(p != MAP_FAILED, "mmap");
    madvise(p, n * PAGE, MADV_NOHUGEPAGE); /* Linux might give 512 at once */
    return p;
}

/* shared - one page that a child shares with its parent, to report in. */
FIRST void *
shared(void)
{
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    must(p != MAP_FAILED, "mmap");
    return p;
}

/* ended - wait for a child; its status. */
FIRST int
ended(pid_t pid)
{
    int status = 0;

    must(waitpid(pid, &status, 0) == pid, "waitpid");
    return status;
}

/* number - what stands behind @name at the start of a line of @file; -1: nothing. */
FIRST long
number(const char *file, const char *name)
{
    char text[8192];
    int fd = open(file, O_RDONLY);
    ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);

    close(fd);
    text[n > 0 ? n : 0] = '\0';
    for (char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, strlen(name)) == 0 && strchr(" \t", line[strlen(name)]) != NULL)
            return strtol(line + strlen(name), NULL, 10);
    }
    return -1;
}

/* faults - how many page faults this process has had. */
FIRST long
faults(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_minflt + u.ru_majflt;
}

/* ---- faults by kind, from /proc/self/faults; on Linux there are but the last two ---- */

#define KINDS 12
FIRST const char *const kinds[KINDS] = {"zero",  "new",        "file",       "read",
                                        "swap",  "cow_copies", "cow_reuses", "stack",
                                        "entry", "refused",    "minor",      "major"};
FIRST long kind_count[KINDS];

FIRST void
kinds_look(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    for (int k = 0; k < KINDS - 2; k++)
        kind_count[k] = number("/proc/self/faults", kinds[k]);
    kind_count[KINDS - 2] = kind_count[0] == -1 ? u.ru_minflt : 0;
    kind_count[KINDS - 1] = kind_count[0] == -1 ? u.ru_majflt : 0;
}

/* kinds_line - print what was counted since the last line; NULL: nothing, begin to count. */
FIRST void
kinds_line(const char *what)
{
    long before[KINDS];

    memcpy(before, kind_count, sizeof(before));
    kinds_look();
    if (what != NULL)
        say("    %-37s", what);
    for (int k = 0; k < KINDS && what != NULL; k++)
        if (kind_count[k] != before[k])
            say("  %s %ld -> %ld", kinds[k], before[k], kind_count[k]);
    if (what != NULL)
        say("\n");
    kinds_look(); /* what printing cost is not counted */
}

/* file_on_disk - a file of one page that is on the disk, and that memory has forgotten. */
FIRST int
file_on_disk(void)
{
    char path[] = "/var/tmp/tour-XXXXXX";
    int fd = mkstemp(path);

    must(fd != -1 && unlink(path) == 0 && write(fd, path, sizeof(path)) > 0, path);
    must(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, path);
    return fd;
}

/* ---- /proc/self/pagemap: a word for each page, see proc(5) ---- */

#define PRESENT (1UL << 63)
#define SWAPPED (1UL << 62)
#define ALONE   (1UL << 56) /* no other process has this page */

FIRST uint64_t
page_word(const void *address)
{
    uint64_t word = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY);

    must(pread(fd, &word, 8, (uintptr_t)address / PAGE * 8) == 8, "/proc/self/pagemap");
    close(fd);
    return word;
}

/* frame - the number of the frame that holds @address; 0: none, or only root may know. */
FIRST unsigned long
frame(const void *address)
{
    uint64_t word = page_word(address);

    return word & PRESENT ? word & ((1UL << 55) - 1) : 0;
}

/* frame_text - the same in letters; "-" if it is not told. Good for the next three calls. */
FIRST const char *
frame_text(const void *address)
{
    static char texts[4][24];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    unsigned long f = frame(address);

    snprintf(text, sizeof(texts[0]), f != 0 ? "%lu" : "-", f);
    return text;
}

/* count_pages - how many of the @n pages at @p have the bit in their word. */
FIRST size_t
count_pages(const char *p, size_t n, uint64_t bit)
{
    size_t count = 0;

    for (size_t k = 0; k < n; k++)
        count += (page_word(p + k * PAGE) & bit) != 0;
    return count;
}
