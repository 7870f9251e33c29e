/*
 * window.h - a window of memory that a program maps piece by piece, and beside it what each
 * of its pages should be.
 *
 * The probe holds the kernel's regions, page tables and bytes against the table `model`.
 */
#pragma once

#include "labs/lab.h"

#define WINDOW     ((char *)0x200000000000UL) /* where nothing else is ever placed */
#define PAGES      64
#define FILE_PAGES 64
#define RW         (PROT_READ | PROT_WRITE)

enum kind { NOTHING, ANON, FILE_PRIVATE, FILE_SHARED };

/* A page of the window. Python's twin is in probe.py. */
struct page {
    uint8_t kind, prot, marked; /* MADV_DONTDUMP */
    uint8_t byte;               /* all bytes of it */
    uint32_t index;             /* page of the file */
};

static struct page model[PAGES];
static int file; /* its page k is filled with byte_of(seed, k) */
static uint32_t file_seed;

SHARED void
window_begin(uint32_t seed)
{
    char *p = pages(FILE_PAGES);

    fill(p, FILE_PAGES, seed);
    make_file("/lab/window", p, FILE_PAGES * PAGE);
    file = (int)MUST(open("/lab/window", O_RDONLY));
    file_seed = seed;
}

/* show_window - checkpoint @n. */
SHARED void
show_window(long n)
{
    checkpoint(n, WINDOW, PAGES, (long)model);
}

/* The calls: 0 or an errno. One that fails should have changed nothing, and the model neither. */

SHARED int
map(uint32_t at, uint32_t n, int prot, enum kind kind, uint32_t index)
{
    int flags = MAP_FIXED | (kind == FILE_SHARED ? MAP_SHARED : MAP_PRIVATE);
    void *got =
        kind == ANON
            ? mmap(WINDOW + at * PAGE, n * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0)
            : mmap(WINDOW + at * PAGE, n * PAGE, prot, flags, file, (off_t)(index * PAGE));

    if (got == MAP_FAILED)
        return errno;
    for (uint32_t k = 0; k < n; k++)
        model[at + k] =
            (struct page){kind, (uint8_t)prot, 0,
                          kind == ANON ? 0 : byte_of(file_seed, index + k), index + k};
    return 0;
}

SHARED int
unmap(uint32_t at, uint32_t n)
{
    if (munmap(WINDOW + at * PAGE, n * PAGE) != 0)
        return errno;
    memset(&model[at], 0, n * sizeof(model[0]));
    return 0;
}

SHARED int
protect(uint32_t at, uint32_t n, int prot)
{
    if (mprotect(WINDOW + at * PAGE, n * PAGE, prot) != 0)
        return errno;
    for (uint32_t k = at; k < at + n; k++)
        model[k].prot = (uint8_t)prot;
    return 0;
}

SHARED int
mark(uint32_t at, uint32_t n, int marked)
{
    if (madvise(WINDOW + at * PAGE, n * PAGE, marked ? MADV_DONTDUMP : MADV_DODUMP) != 0)
        return errno;
    for (uint32_t k = at; k < at + n; k++)
        model[k].marked = (uint8_t)marked;
    return 0;
}

/* store - fill those of the pages that may be written to. */
SHARED void
store(uint32_t at, uint32_t n, unsigned char byte)
{
    for (uint32_t k = at; k < at + n; k++)
        if (model[k].prot & PROT_WRITE)
            memset(WINDOW + k * PAGE, model[k].byte = byte, PAGE);
}

/* good - read each page that may be read; 1 if all have their bytes. */
SHARED int
good(void)
{
    int all = 1;

    for (uint32_t k = 0; k < PAGES; k++)
        if (model[k].kind != NOTHING && model[k].prot != PROT_NONE)
            all &= all_bytes(WINDOW + k * PAGE, PAGE, model[k].byte);
    return all;
}

/* refused - whether the kernel may not read (or write) this page for the program. */
SHARED int
refused(uint32_t at, int right)
{
    char *p = WINDOW + at * PAGE;
    long n = right == PROT_WRITE ? pread(file, p, 1, 0) : access(p, F_OK);

    return n == -1 && errno == EFAULT;
}

/* does - a call that has to succeed. */
SHARED void
does(int error)
{
    errno = error;
    MUST(error == 0 ? 0 : -1);
}
