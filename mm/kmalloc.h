/*
 * kmalloc.h - memory for kernel objects of up to one page.
 *
 *   - Sizes are rounded up to a class of objects, or a whole frame; the result is aligned to 16
 *     bytes, from 128 bytes on to 64, a frame to 4096.
 *   - Never sleeps, may be called in any context; NULL when there is no frame left.
 *   - A slab that becomes empty goes back to the frames at once.
 */
#pragma once

#include "kernel/lib/types.h"

#define KMALLOC_FREED 0xdfdfdfdfdfdfdfdfUL /* no address: whoever follows it faults */

void *kmalloc(size_t size) MUST_CHECK;
void *kzalloc(size_t size) MUST_CHECK; /* filled with zeros */
void kfree(void *p);                   /* NULL is fine */
char *kstrdup(const char *s) MUST_CHECK;

/* Objects now allocated, of every size: what vm_check compares before and after a run. */
uint64_t kmalloc_count(void);
