/*
 * bss_is_demand_paged.c - 512 MiB of BSS cost nothing until they are touched.
 *
 * With the argument "measure" (guest only) it also prints what ten touched pages
 * cost: the growth of the resident set, and of the machine's used memory.
 */
#include "test.h"

#define SIZE (512UL << 20)
static char huge[SIZE];

/* Where the touched bytes lie; not in the first page, which other variables may share. */
#define PLACE(i) ((i) * (SIZE / 10) + 8192 + 123)

static long
resident_pages(void)
{
    char text[128] = "";
    int fd = (int)MUST(open("/proc/self/statm", O_RDONLY));

    MUST(read(fd, text, sizeof(text) - 1));
    close(fd);
    char *second = strchr(text, ' ');
    return second == NULL ? -1 : atol(second);
}

static long
free_kib(void)
{
    char text[2048] = "";
    int fd = (int)MUST(open("/proc/meminfo", O_RDONLY));

    MUST(read(fd, text, sizeof(text) - 1));
    close(fd);
    char *line = strstr(text, "MemFree:");
    return line == NULL ? -1 : atol(line + 8);
}

static void
touch_ten(void)
{
    for (size_t i = 0; i < 10; i++)
        huge[PLACE(i)] = (char)(i + 1);
}

int
main(int argc, char **argv)
{
    int measure = argc > 1 && strcmp(argv[1], "measure") == 0;
    long rss = 0, kib = 0;

    if (measure) {
        resident_pages(); /* so that the code of the measurement itself is in memory */
        kib = free_kib();
        rss = resident_pages();
        kib = free_kib();
    }
    touch_ten();
    if (measure) {
        long kib_after = free_kib();
        say("resident %ld pages\n", resident_pages() - rss);
        say("used %ld KiB\n", kib - kib_after);
    }
    int kept = 1, zero = 1;
    for (size_t i = 0; i < 10; i++) {
        kept &= huge[PLACE(i)] == (char)(i + 1);
        zero &= huge[PLACE(i) + 1] == 0;
    }
    CHECK("ten touched pages keep what was written", kept);
    CHECK("the rest of each page is zero", zero);
    CHECK("the last byte is zero", huge[SIZE - 1] == 0);
    return finish();
}
