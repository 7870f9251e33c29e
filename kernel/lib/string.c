/*
 * string.c - memory and strings, by the C library's contracts.
 *
 * The compiler calls memcpy, memmove, memset and memcmp of its own accord.  The first three are
 * string instructions: eight bytes for each step, which is what counts on an emulated
 * processor, and they cannot be compiled into calls of themselves.
 */
#include "kernel/lib/string.h"

void *
memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;
    size_t words = n / 8;
    size_t tail = n % 8;

    __asm__ volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(tail) : : "memory");
    return dst;
}

/* From the last byte to the first, for a destination that overlaps the source's end. */
static void
copy_backwards(void *dst, const void *src, size_t n)
{
    char *d = (char *)dst + n - 1;
    const char *s = (const char *)src + n - 1;
    size_t words = n / 8;
    size_t tail = n % 8;

    /* The pointers go from last to first byte of a word in between: 7 down, then up again. */
    __asm__ volatile("std\n\t"
                     "rep movsb\n\t"
                     "subq $7, %0\n\t"
                     "subq $7, %1\n\t"
                     "movq %3, %2\n\t"
                     "rep movsq\n\t"
                     "cld"
                     : "+D"(d), "+S"(s), "+c"(tail)
                     : "r"(words)
                     : "memory", "cc");
}

void *
memmove(void *dst, const void *src, size_t n)
{
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        return memcpy(dst, src,
                      n); /* @dst starts below @src or behind its end: forwards is right */
    copy_backwards(dst, src, n);
    return dst;
}

void *
memset(void *dst, int c, size_t n)
{
    void *d = dst;
    uint64_t pattern = (uint8_t)c * 0x0101010101010101UL;
    size_t words = n / 8;
    size_t tail = n % 8;

    __asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(tail) : "a"(pattern) : "memory");
    return dst;
}

int
memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a;
    const uint8_t *y = b;

    for (; n > 0; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t
strlen(const char *s)
{
    const char *end = s;

    while (READ_ONCE(*end) != '\0') /* read once: else the compiler sees strlen and calls it */
        end++;
    return end - s;
}

size_t
strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n] != '\0')
        n++;
    return n;
}

int
strcmp(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++, b++)
        continue;
    return (uint8_t)*a - (uint8_t)*b;
}

int
strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        if (*a != *b)
            return (uint8_t)*a - (uint8_t)*b;
        if (*a == '\0')
            return 0;
    }
    return 0;
}

char *
strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (*s == '\0')
            return NULL;
    }
}

char *
strrchr(const char *s, int c)
{
    const char *last = NULL;

    for (;; s++) {
        if (*s == (char)c)
            last = s;
        if (*s == '\0')
            return (char *)last;
    }
}

size_t
strlcpy(char *dst, const char *src, size_t size)
{
    size_t len = strlen(src);
    size_t n = MIN(len, size - 1);

    memcpy(dst, src, n);
    dst[n] = '\0';
    return len;
}

/* The value of a digit in bases up to 36; 36 when @c is none. */
static unsigned
digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    return 36;
}

uint64_t
strtou64(const char *s, const char **end, unsigned base)
{
    const char *p = s;
    uint64_t n = 0;
    bool overflow = false;

    /* The prefix counts only when a digit follows: "0x" alone is a 0 and then an x. */
    if ((base == 0 || base == 16) && p[0] == '0' && (p[1] | 0x20) == 'x' &&
        digit_value(p[2]) < 16) {
        p += 2;
        base = 16;
    } else if (base == 0) {
        base = p[0] == '0' ? 8 : 10;
    }

    const char *first = p;
    for (; digit_value(*p) < base; p++) {
        overflow |= __builtin_mul_overflow(n, (uint64_t)base, &n);
        overflow |= __builtin_add_overflow(n, (uint64_t)digit_value(*p), &n);
    }
    if (end != NULL)
        *end = p == first ? s : p;
    return overflow ? UINT64_MAX : n;
}
