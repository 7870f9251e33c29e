/*
 * frames_are_numbered.c - root sees which frame a page is in, who else maps it, and what it is.
 *
 * With frames' numbers from pagemap, /proc/kpagecount and /proc/kpageflags tell the rest, and
 * PID/walk, which Linux does not have, shows the entries of the four levels.
 */
#include <grp.h>

#include "test.h"

#define FRAME_MASK ((1UL << 55) - 1)
#define ENTRY_ADDR 0x000ffffffffff000UL
#define KPF_MMAP   (1UL << 11)
#define KPF_ANON   (1UL << 12)
#define KPF_ZERO   (1UL << 24)
#define KPF_TABLE  (1UL << 26)
#define NOBODY     65534

/* Word @index, of @size bytes' worth, of a file of words; -1 bytes read if it cannot be. */
static long
words(const char *file, uint64_t index, void *out, size_t size)
{
    int fd = open(file, O_RDONLY);
    long n = fd == -1 ? -1 : pread(fd, out, size, (off_t)(index * size));
    int e = errno;

    close(fd);
    errno = e;
    return n;
}

static uint64_t
word(const char *file, uint64_t index)
{
    uint64_t w = 0;

    MUST(words(file, index, &w, sizeof(w)) == sizeof(w) ? 0 : -1);
    return w;
}

static uint64_t
frame_at(const void *p)
{
    return word("/proc/self/pagemap", (uintptr_t)p / PAGE) & FRAME_MASK;
}

static void
child_shares(void *arg)
{
    volatile char *p = arg;
    uint64_t frame = frame_at(arg);

    MUST(p[0] == 'p' ? 0 : -1);
    CHECK("two map it after fork", word("/proc/kpagecount", frame) == 2);
    p[0] = 'c';
    CHECK("the child's store moves it to another frame", frame_at(arg) != frame);
    CHECK("the parent keeps the frame", word("/proc/kpagecount", frame) == 1);
    CHECK("each is mapped once", word("/proc/kpagecount", frame_at(arg)) == 1);
}

static void
walk(char *p)
{
    uint64_t way[5], away[5];

    if (words("/proc/self/walk", (uintptr_t)p / PAGE, way, sizeof(way)) == -1)
        return;
    for (int level = 0; level < 4; level++)
        CHECK("a table is a table",
              word("/proc/kpageflags", (way[level] & ENTRY_ADDR) / PAGE) == KPF_TABLE);
    CHECK("the last entry leads to the frame", (way[4] & ENTRY_ADDR) / PAGE == frame_at(p));
    CHECK("it is present, writable, the user's, accessed, dirty", (way[4] & 0x67) == 0x67);
    CHECK("it cannot be executed", way[4] >> 63 == 1);
    words("/proc/self/walk", (uintptr_t)p / PAGE + 1, away, sizeof(away));
    CHECK("the neighbour has the same tables", memcmp(way, away, 4 * sizeof(way[0])) == 0);
    CHECK("and no entry yet", away[4] == 0);
    /* Any of the 256 parts of 512 GiB may be empty, for places are drawn; most are. */
    for (uint64_t part = 0; part == 0 || (away[1] != 0 && part < 256); part++)
        words("/proc/self/walk", part << 27, away, sizeof(away));
    CHECK("where nothing is, the walk ends early", away[1] == 0 && away[4] == 0);
    CHECK("the root is the same", away[0] == way[0]);
    show("the kernel's half", words("/proc/self/walk", 1UL << 35, away, sizeof(away)));
}

/* The program begins again without rights: its pages are told, their frames are not. */
static int
look(void)
{
    static char here;
    uint64_t way[5];

    here = 1;
    uint64_t page = word("/proc/self/pagemap", (uintptr_t)&here / PAGE);
    CHECK("nobody's own page is present", page >> 63 == 1);
    CHECK("its frame is not told", (page & FRAME_MASK) == 0);
    if (words("/proc/self/walk", (uintptr_t)&here / PAGE, way, sizeof(way)) == -1)
        return finish();
    CHECK("the walk tells rights", (way[4] & 7) == 7);
    for (int k = 0; k < 5; k++)
        CHECK("and no place", (way[k] & ENTRY_ADDR) == 0);
    return finish();
}

static void
as_nobody(void *unused __attribute__((unused)))
{
    uint64_t way[5] = {0};
    char path[32];

    MUST(setgroups(0, NULL));
    MUST(setgid(NOBODY));
    MUST(setuid(NOBODY));
    snprintf(path, sizeof(path), "/proc/%d/pagemap", getppid());
    show("the parent's pagemap", words(path, 0, way, 8));
    show("kpagecount", words("/proc/kpagecount", 0, way, 8));
    show("kpageflags", words("/proc/kpageflags", 0, way, 8));
    execl("/proc/self/exe", "frames_are_numbered", "look", (char *)NULL);
    MUST(-1);
}

int
main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "look") == 0)
        return look();

    volatile char *p = pages(4);

    p[0] = 'p';
    uint64_t frame = frame_at((char *)p);
    CHECK("a written page has a frame", frame != 0);
    CHECK("it is mapped once", word("/proc/kpagecount", frame) == 1);
    uint64_t flags = word("/proc/kpageflags", frame);
    CHECK("it is mapped and anonymous",
          (flags & (KPF_MMAP | KPF_ANON)) == (KPF_MMAP | KPF_ANON));
    walk((char *)p);
    MUST(p[2 * PAGE] == 0 ? 0 : -1);
    CHECK("a page that was only read is in the frame of zeros",
          word("/proc/kpageflags", frame_at((char *)p + 2 * PAGE)) & KPF_ZERO);
    show_status("child", in_child(child_shares, (char *)p));
    CHECK("alone again", word("/proc/kpagecount", frame) == 1);
    show_status("nobody", in_child(as_nobody, NULL));
    return finish();
}
