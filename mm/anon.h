/*
 * anon.h - one page of memory that has no file behind it: the page itself,
 * whatever place its bytes are in.
 */
#pragma once

#include "kernel/lib/types.h"

struct frame;
struct tlb_batch;

struct anon {
    uint32_t refs;       /* V: table entries (space->private, object->pages) that name it */
    slot_t slot;         /* V: its place on the swap disk, 0: none */
    struct frame *frame; /* V: its frame, NULL: none */
};

STATIC_ASSERT(sizeof(struct anon) == 16);

/*
 * anon_alloc - a new anon with one reference and a frame of its own, not mapped yet.
 *
 * @source: frame to copy the bytes from; the frame of zeros gives zeros.
 * Locks:   vm_lock.  Does not sleep.
 * Returns: the anon, or NULL when there is no memory.
 */
struct anon *anon_alloc(const struct frame *source) MUST_CHECK;

/*
 * One more, one less table entry names it. The last one frees it; its frame
 * goes through @b. vm_lock held.
 */
void anon_get(struct anon *a);
void anon_put(struct anon *a, struct tlb_batch *b);

/* Anons that exist. */
uint64_t anon_count(void);
