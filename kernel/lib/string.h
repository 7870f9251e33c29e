/*
 * string.h - the C library's memory and string functions that the kernel uses. Contracts are
 * C11's (7.24) and POSIX's; strlcpy is BSD's.
 */
#pragma once

#include "kernel/lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);

/* Copies with truncation, always ends with NUL (size > 0).  Returns strlen(src). */
size_t strlcpy(char *dst, const char *src, size_t size);

/*
 * strtou64 - read an unsigned number, decimal, 0x or 0 octal by prefix when @base is 0.
 * *end is set behind the last digit; no digits: *end == s.  Overflow gives UINT64_MAX.
 */
uint64_t strtou64(const char *s, const char **end, unsigned base);
