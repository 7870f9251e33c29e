/*
 * ext2_host.h - what the ext2 test needs of the C library.
 *
 * The kernel's headers and the C library's declare the same names differently, so no file
 * includes both: this one declares, in neither's types, what ext2_host.c does with the C
 * library.
 */
#pragma once

#include <stddef.h>

/* The image: read whole into memory, and written back. Exit on error. */
unsigned char *host_load(const char *path, size_t *size);
void host_save(const char *path, const unsigned char *bytes, size_t size);

void *host_malloc(size_t n); /* zeroed; never NULL */
void host_free(void *p);
/* @n pages, each with an inaccessible one behind it: page i is at 8192 * i. */
unsigned char *host_arena(size_t n);

void host_print(const char *text);
void host_vfail(const char *fmt, __builtin_va_list ap) __attribute__((noreturn));
unsigned long host_number(const char *text);

/* Ends the process when it does not end by itself. */
void host_alarm(unsigned seconds);
