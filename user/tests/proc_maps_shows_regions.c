/*
 * proc_maps_shows_regions.c - /proc/self/maps tells what is mapped, with which rights.
 *
 * Lines are sorted, do not overlap, and the program's own mappings are among them.
 */
#include "test.h"

static char text[32768];

static const char *
rights_of(void *address)
{
    static char rights[8];
    unsigned long start, end;

    for (char *line = text; line != NULL && *line != '\0';) {
        if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 &&
            (unsigned long)address >= start && (unsigned long)address < end)
            return rights;
        line = strchr(line, '\n');
        if (line != NULL)
            line++;
    }
    return "none";
}

static int
is_sorted(void)
{
    unsigned long start, end, last = 0;

    for (char *line = text; line != NULL && *line != '\0';) {
        if (sscanf(line, "%lx-%lx", &start, &end) != 2 || start < last || end <= start)
            return 0;
        last = end;
        line = strchr(line, '\n');
        if (line != NULL)
            line++;
    }
    return last != 0;
}

int
main(void)
{
    char local;
    char *rw = pages(1), *ro = pages(2);

    MUST(mprotect(ro, PAGE, PROT_READ));
    char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *gone = pages(3);
    MUST(munmap(gone + PAGE, PAGE));
    int fd = (int)MUST(open("/proc/self/maps", O_RDONLY));
    ssize_t n, have = 0;
    while ((n = MUST(read(fd, text + have, sizeof(text) - 1 - (size_t)have))) > 0)
        have += n;
    CHECK("sorted and disjoint", is_sorted());
    say("private: %s\n", rights_of(rw));
    say("read-only: %s\n", rights_of(ro));
    say("none: %s\n", rights_of(none));
    say("shared: %s\n", rights_of(shared));
    say("a hole: %s\n", rights_of(gone + PAGE));
    say("text: %s\n", rights_of((void *)(uintptr_t)main));
    say("data: %s\n", rights_of(text));
    say("stack: %s\n", rights_of(launder(&local)));
    CHECK("[stack] is named", strstr(text, "[stack]") != NULL);
    CHECK("the program is named", strstr(text, "proc_maps_shows_regions") != NULL);
    return finish();
}
