/*
 * behaviour_counts.c - not only the right bytes, but by the right road: counted, not timed.
 *
 * Each line says what was done and what it cost by the counters of /proc/self/faults, a file of
 * Vitrine's own; on Linux there is nothing to read and the program says so.
 */
#include "test.h"

#define PAGES 64
/* Pages of files are mapped in aligned groups of 16: so that the count does not hang on chance. */
#define PLACE ((void *)0x100000000000)

struct counts {
    long faults, major, copies, reuses, anon;
};

static long
field(const char *text, const char *name)
{
    const char *found = strstr(text, name);

    return found == NULL ? -1 : atol(found + strlen(name));
}

static struct counts
count(void)
{
    static char text[1024]; /* touched long before: reading it costs no fault */
    int fd = open("/proc/self/faults", O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    close(fd);
    if (n <= 0) {
        say("no /proc/self/faults\n");
        exit(0);
    }
    text[n] = '\0';
    return (struct counts){field(text, "minor ") + field(text, "major "), field(text, "major "),
                           field(text, "cow_copies "), field(text, "cow_reuses "),
                           field(text, "resident_anon ")};
}

static struct counts before;

static void
begin(void)
{
    (void)count();
    before = count();
}

static void
end(const char *what)
{
    struct counts now = count();

    say("%s: %ld faults, %ld copies, %ld reuses, %ld frames\n", what,
        now.faults - before.faults, now.copies - before.copies, now.reuses - before.reuses,
        now.anon - before.anon);
    begin();
}

static volatile char sink;

static void
read_all(const char *p)
{
    for (int i = 0; i < PAGES; i++)
        sink = p[i * PAGE];
}

static void
write_all(char *p, int n)
{
    for (int i = 0; i < n; i++)
        p[i * PAGE]++;
}

static void
of_memory(char *p)
{
    begin();
    char *huge = mmap(NULL, 1UL << 30, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    mprotect(huge, 1UL << 30, PROT_READ);
    munmap(huge, 1UL << 30);
    end("a gigabyte, mapped, protected, unmapped");
    read_all(p);
    end("64 untouched pages, read");
    read_all(p);
    end("read again");
    write_all(p, PAGES);
    end("written for the first time");
    write_all(p, PAGES);
    end("written again");
    mprotect(p, PAGES * PAGE, PROT_READ);
    end("made read-only");
    read_all(p);
    end("read");
    mprotect(p, PAGES * PAGE, PROT_READ | PROT_WRITE);
    write_all(p, PAGES);
    end("made writable and written");
}

static void
of_fork(char *p)
{
    char *stack = p + PAGES * PAGE; /* a page of its own for what the child tells */
    int status;

    stack[0] = 1;
    begin();
    pid_t child = fork();

    if (child == 0) {
        begin();
        read_all(p);
        struct counts now = count();
        say("child, 64 pages read: %ld copies\n", now.copies - before.copies);
        begin();
        write_all(p, 16);
        now = count();
        say("child, 16 of them written: %ld copies, %ld reuses\n", now.copies - before.copies,
            now.reuses - before.reuses);
        _exit(0);
    }
    waitpid(child, &status, 0);
    struct counts now = count();
    say("fork: at most 4 of the parent's pages were copied: %s\n",
        now.copies - before.copies <= 4 ? "yes" : "no");
    begin();
    write_all(p, PAGES);
    end("parent, written after the child's end");
    munmap(p, PAGES * PAGE);
    end("unmapped");
}

static void
of_mappings(void)
{
    char name[] = "behaviour_counts.XXXXXX"; /* not in memory, but on the disk */
    int fd = mkstemp(name);
    static char page[PAGE];

    for (int i = 0; i < PAGES; i++)
        if (write(fd, page, PAGE) != PAGE)
            say("write failed\n");
    begin();
    char *p = mmap(PLACE, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    read_all(p);
    end("64 pages of a file in memory, mapped and read");
    munmap(p, PAGES * PAGE);
    p = mmap(PLACE, PAGES * PAGE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    begin();
    read_all(p);
    end("the same after MAP_POPULATE");
    munmap(p, PAGES * PAGE);
    p = mmap(PLACE, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    begin();
    write_all(p, 16);
    end("16 pages of it, privately, written");
    madvise(p, PAGES * PAGE, MADV_DONTNEED);
    end("given up again");
    munmap(p, PAGES * PAGE);
    close(fd);
    unlink(name);
}

int
main(void)
{
    char *p = pages(PAGES + 1);

    of_memory(p);
    of_fork(p);
    of_mappings();
    return 0;
}
