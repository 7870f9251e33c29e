/*
 * host.h - what a host-side unit test of kernel code needs: checks, and the kernel's malloc.
 *
 * The tests include the kernel's own sources, compiled for the host with the address
 * and undefined-behaviour sanitizers.  The C library's headers stay out, because the
 * kernel's string.h and types.h would clash with them.
 */
#pragma once

#include "kernel/lib/types.h"

int printf(const char *fmt, ...);
void abort(void) NORETURN;
void exit(int status) NORETURN;
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void free(void *p);

#define CHECK(cond)                                                         \
    do {                                                                    \
        if (!(cond)) {                                                      \
            printf("%s:%d: check failed: %s\n", __FILE__, __LINE__, #cond); \
            exit(1);                                                        \
        }                                                                   \
    } while (0)

/* A reproducible random number (xorshift64*). */
static inline uint64_t
host_random(void)
{
    static uint64_t s = 0x2545f4914f6cdd1d;

    s ^= s >> 12;
    s ^= s << 25;
    s ^= s >> 27;
    return s * 0x2545f4914f6cdd1d;
}
