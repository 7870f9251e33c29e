/*
 * random.h - numbers that nobody can foretell, or that everybody can repeat.
 *
 * One ChaCha20 generator (RFC 8439) with fast key erasure: each request makes a new key out of
 * the stream first.  With a seed on the command line its whole output follows from the seed, so
 * a run can be repeated.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * random_init - once, before the first random_bytes.
 *
 * @seed:    the text of the boot option seed=, or NULL.
 * @entropy: gives 64 random bits; used only without @seed.
 */
void random_init(const char *seed, uint64_t (*entropy)(void));

/* @n random bytes. Not from interrupts. Does not sleep. */
void random_bytes(void *buf, size_t n);
