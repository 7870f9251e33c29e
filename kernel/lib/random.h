/*
 * random.h - numbers that nobody can foretell, or that everybody can repeat.
 *
 * One ChaCha20 generator (RFC 8439) with fast key erasure: each request makes a new key out of
 * the stream first.  With a seed on the command line its whole output follows from the seed, so
 * a run can be repeated.
 */
#pragma once

#include "kernel/lib/types.h"

#define RANDOM_KEY_SIZE 32 /* bytes */

/*
 * random_init - once, before the first random_bytes.
 *
 * @seed:    the text of the boot option seed=, or NULL.
 * @entropy: gives 64 random bits; used only without @seed.
 */
void random_init(const char *seed, uint64_t (*entropy)(void));

/*
 * random_mix - what comes out from now on depends on @material too, and is no easier to foretell
 * if that is known to somebody.
 * @n: bytes; those beyond RANDOM_KEY_SIZE are not looked at.
 */
void random_mix(const void *material, size_t n);

/* @n random bytes. Not from interrupts. Does not sleep. */
void random_bytes(void *buf, size_t n);
