/*
 * test_printf.c - the kernel's formatting against the C library's, and at its edges.
 *
 * The kernel's functions are renamed by the macros below, so that both can be called.
 */
#include "tests/unit/host.h"

#define vsnprintf kernel_vsnprintf
#define snprintf  kernel_snprintf
#include "kernel/lib/printf.c"
#undef vsnprintf
#undef snprintf
#include "kernel/lib/string.h"

int snprintf(char *buf, size_t size, const char *fmt, ...);

static char ours[600], theirs[600];

/* Formats both ways and compares text and length. */
#define SAME(...)                                                          \
    do {                                                                   \
        int a = kernel_snprintf(ours, sizeof(ours), __VA_ARGS__);          \
        int b = snprintf(theirs, sizeof(theirs), __VA_ARGS__);             \
        if (a != b || strcmp(ours, theirs) != 0)                           \
            printf("ours \"%s\", the C library's \"%s\"\n", ours, theirs); \
        CHECK(a == b && strcmp(ours, theirs) == 0);                        \
    } while (0)

static void
test_integers(void)
{
    static const char *const flags[] = {"", "-", "0", "#", "-#", "0#", "-0"};
    static const char *const widths[] = {"", "1", "8", "20"};
    static const long values[] = {0, 1, -1, 7, 42, 255, INT64_MAX, INT64_MIN, 1234567890123};
    char fmt[32];

    for (unsigned f = 0; f < ARRAY_SIZE(flags); f++)
        for (unsigned w = 0; w < ARRAY_SIZE(widths); w++)
            for (const char *c = "dixou"; *c != '\0'; c++)
                for (unsigned v = 0; v < ARRAY_SIZE(values); v++) {
                    snprintf(fmt, sizeof(fmt), "<%%%s%sl%c>", flags[f], widths[w], *c);
                    SAME(fmt, values[v]);
                    snprintf(fmt, sizeof(fmt), "<%%%s%s%c>", flags[f], widths[w], *c);
                    SAME(fmt, (int)values[v]);
                }
}

static void
test_sizes(void)
{
    SAME("%lld %llu %zu %ld", -5LL, 6ULL, (size_t)7, -8L);
    SAME("%p", (void *)0x1234abcd);
    SAME("%*d|%-*d|%.*s", 6, 1, 6, 2, 3, "word");
}

static void
test_text(void)
{
    SAME("plain %% text");
    SAME("%s|%10s|%-10s|%.2s|%10.2s|%.0s", "abc", "abc", "abc", "abc", "abc", "abc");
    SAME("%c|%5c|%-5c|", 'x', 'y', 'z');
    char open_end[3] = {'a', 'b', 'c'}; /* no NUL: a precision must be enough */
    SAME("%.3s", open_end);
}

static void
test_edges(void)
{
    char b[4] = "zzz";

    CHECK(kernel_snprintf(b, 0, "hello") == 5 && b[0] == 'z');
    CHECK(kernel_snprintf(b, 1, "hello") == 5 && b[0] == '\0');
    CHECK(kernel_snprintf(b, 4, "hello") == 5 && strcmp(b, "hel") == 0);
    CHECK(kernel_snprintf(NULL, 0, "%d", 123456) == 6);
    const char *odd = "%y|%"; /* not a conversion; the end of the text inside one */
    CHECK(kernel_snprintf(ours, sizeof(ours), odd) == 4 && strcmp(ours, odd) == 0);
    const char *volatile null = NULL; /* volatile: else the compiler warns, rightly */
    CHECK(kernel_snprintf(ours, sizeof(ours), "%s", null) == 6);
    CHECK(kernel_snprintf(ours, sizeof(ours), "%p", null) == 3 && strcmp(ours, "0x0") == 0);
}

int
main(void)
{
    test_integers();
    test_sizes();
    test_text();
    test_edges();
    printf("ok\n");
    return 0;
}
