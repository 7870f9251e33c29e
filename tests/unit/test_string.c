/*
 * test_string.c - memory and string functions, each against a loop that cannot be wrong.
 *
 * Renamed by macros, because the C library and the sanitizers have functions of the same names.
 */
#define memcpy  k_memcpy
#define memmove k_memmove
#define memset  k_memset
#define memcmp  k_memcmp
#define strlen  k_strlen
#define strnlen k_strnlen
#define strcmp  k_strcmp
#define strncmp k_strncmp
#define strchr  k_strchr
#define strrchr k_strrchr
#define strlcpy k_strlcpy
#include "kernel/lib/string.c"
#include "tests/unit/host.h"

#define N 80

static uint8_t model[3 * N], mem[3 * N];

static void
fill(void)
{
    for (unsigned i = 0; i < sizeof(mem); i++)
        model[i] = mem[i] = host_random();
}

static bool
same(void)
{
    for (unsigned i = 0; i < sizeof(mem); i++)
        if (model[i] != mem[i])
            return false;
    return true;
}

/* Every length, every alignment, every overlap. */
static void
test_memmove(void)
{
    for (unsigned len = 0; len <= 40; len++)
        for (unsigned from = 0; from < N; from += 3)
            for (unsigned to = 0; to < N; to++) {
                uint8_t copy[40];

                fill();
                for (unsigned i = 0; i < len; i++)
                    copy[i] = model[from + i];
                for (unsigned i = 0; i < len; i++)
                    model[to + i] = copy[i];
                CHECK(memmove(mem + to, mem + from, len) == mem + to);
                CHECK(same());
            }
}

static void
test_memcpy_memset(void)
{
    for (unsigned len = 0; len <= N; len++)
        for (unsigned at = 0; at < 9; at++) {
            fill();
            for (unsigned i = 0; i < len; i++)
                model[at + i] = model[N + 20 + i];
            CHECK(memcpy(mem + at, mem + N + 20, len) == mem + at);
            CHECK(same());
            for (unsigned i = 0; i < len; i++)
                model[at + i] = 0xa5;
            CHECK(memset(mem + at, 0x7a5, len) == mem + at); /* only the low byte counts */
            CHECK(same());
        }
}

static void
test_compare(void)
{
    CHECK(memcmp("abc", "abd", 2) == 0 && memcmp("abc", "abd", 3) < 0);
    CHECK(memcmp("\xff", "\x01", 1) > 0);
    CHECK(strcmp("", "") == 0 && strcmp("a", "") > 0 && strcmp("", "a") < 0);
    CHECK(strcmp("\xff", "a") > 0);
    CHECK(strncmp("abc", "abd", 2) == 0 && strncmp("abc", "abd", 3) < 0);
    CHECK(strncmp("ab", "ab", 100) == 0 && strncmp("x", "y", 0) == 0);
}

static void
test_search(void)
{
    const char *s = "hello, hell";

    CHECK(strlen(s) == 11 && strnlen(s, 4) == 4 && strnlen(s, 100) == 11);
    CHECK(strchr(s, 'l') == s + 2 && strchr(s, '\0') == s + 11 && strchr(s, 'z') == NULL);
    CHECK(strrchr(s, 'l') == s + 10 && strrchr(s, '\0') == s + 11 && strrchr(s, 'z') == NULL);
}

static void
test_strlcpy(void)
{
    char b[4] = "zzz";

    CHECK(strlcpy(b, "ab", sizeof(b)) == 2 && strcmp(b, "ab") == 0);
    CHECK(strlcpy(b, "abcdef", sizeof(b)) == 6 && strcmp(b, "abc") == 0);
    CHECK(strlcpy(b, "abc", 1) == 3 && b[0] == '\0');
}

static void
check_number(const char *s, unsigned base, uint64_t want, unsigned used)
{
    const char *end;

    CHECK(strtou64(s, &end, base) == want);
    CHECK(end == s + used);
}

static void
test_strtou64(void)
{
    check_number("123abc", 0, 123, 3);
    check_number("0x1fG", 0, 0x1f, 4);
    check_number("0X1f", 16, 0x1f, 4);
    check_number("1f", 16, 0x1f, 2);
    check_number("0x", 0, 0, 1);
    check_number("0755", 0, 0755, 4);
    check_number("08", 0, 0, 1);
    check_number("0", 0, 0, 1);
    check_number("", 0, 0, 0);
    check_number("x", 10, 0, 0);
    check_number("-1", 10, 0, 0);
    check_number("18446744073709551615", 10, UINT64_MAX, 20);
    check_number("18446744073709551616", 10, UINT64_MAX, 20);
    check_number("99999999999999999999999 ", 10, UINT64_MAX, 23);
    CHECK(strtou64("77", NULL, 8) == 63);
}

int
main(void)
{
    test_memmove();
    test_memcpy_memset();
    test_compare();
    test_search();
    test_strlcpy();
    test_strtou64();
    printf("ok\n");
    return 0;
}
