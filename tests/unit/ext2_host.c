/*
 * ext2_host.c - the C library's side of the ext2 test; see ext2_host.h.
 */
#include "tests/unit/ext2_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
die(const char *what)
{
    perror(what);
    exit(2);
}

unsigned char *
host_load(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");

    if (f == NULL || fseek(f, 0, SEEK_END) != 0)
        die(path);
    *size = (size_t)ftell(f);
    rewind(f);
    unsigned char *bytes = host_malloc(*size);
    if (fread(bytes, 1, *size, f) != *size)
        die(path);
    fclose(f);
    return bytes;
}

void
host_save(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");

    if (f == NULL || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
        die(path);
}

void *
host_malloc(size_t n)
{
    void *p = calloc(1, n == 0 ? 1 : n);

    if (p == NULL)
        die("calloc");
    return p;
}

void
host_free(void *p)
{
    free(p);
}

unsigned char *
host_arena(size_t n)
{
    unsigned char *p =
        mmap(NULL, n * 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        die("mmap");
    for (size_t i = 0; i < n; i++)
        if (mprotect(p + i * 8192, 4096, PROT_READ | PROT_WRITE) != 0)
            die("mprotect");
    return p;
}

void
host_print(const char *text)
{
    fputs(text, stderr);
}

void
host_vfail(const char *fmt, va_list ap)
{
    fputs("FAILED: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    abort();
}

unsigned long
host_number(const char *text)
{
    return strtoul(text, NULL, 0);
}

void
host_alarm(unsigned seconds)
{
    alarm(seconds);
}
