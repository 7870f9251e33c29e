/*
 * address_space_limit.c - RLIMIT_AS counts what a mapping adds: one that takes the place of another
 * adds nothing, even where not one page more may be had.
 */
#include "test.h"

/* The bytes that are mapped now, as the limit counts them. */
static unsigned long
mapped(void)
{
    char text[32] = "";
    int fd = (int)MUST(open("/proc/self/statm", O_RDONLY));

    MUST(read(fd, text, sizeof(text) - 1));
    MUST(close(fd));
    return strtoul(text, NULL, 10) * PAGE;
}

static void
put(const char *what, char *at, size_t count, int flags)
{
    void *p = mmap(at, count * PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    show_ok(what, p == MAP_FAILED ? -1 : 0);
}

int
main(void)
{
    char *p = pages(18);
    struct rlimit r;

    MUST(munmap(p + 16 * PAGE, 2 * PAGE));
    p[0] = 1;
    MUST(getrlimit(RLIMIT_AS, &r));
    r.rlim_cur = mapped();
    MUST(setrlimit(RLIMIT_AS, &r));
    put("one page more", NULL, 1, 0);
    put("over 16 pages", p, 16, MAP_FIXED);
    CHECK("they are new", p[0] == 0);
    put("over the last page and one more", p + 15 * PAGE, 2, MAP_FIXED);
    MUST(munmap(p + 4 * PAGE, PAGE));
    put("over pages with a hole of one", p, 16, MAP_FIXED);
    put("over one page and nothing", p + 15 * PAGE, 2, MAP_FIXED);
    MUST(munmap(p, PAGE));
    put("one page, where one went", NULL, 1, 0);
    put("and another", NULL, 1, 0);
    return finish();
}
