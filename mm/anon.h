/*
 * anon.h - one page of memory that has no file behind it: the page itself,
 * whatever place its bytes are in.
 */
#pragma once

#include "kernel/lib/assert.h"
#include "kernel/lib/types.h"

struct frame;
struct tlb_batch;

struct anon {
    uint32_t refs;       /* V: table entries (space->private, object->pages) that name it */
    slot_t slot;         /* V: its place on the swap disk, 0: none */
    struct frame *frame; /* V: its frame, NULL: none */
#ifdef DEBUG
    uint64_t sum; /* V: of the bytes that its slot was given */
#endif
};

#ifndef DEBUG
STATIC_ASSERT(sizeof(struct anon) == 16);
#endif

/*
 * anon_alloc - a new anon with one reference and a frame of its own, not mapped yet.
 *
 * @source: frame to copy the bytes from; the frame of zeros gives zeros.
 * Locks:   vm_lock.  Does not sleep.
 * Returns: the anon, or NULL when there is no memory.
 */
struct anon *anon_alloc(const struct frame *source) MUST_CHECK;

/*
 * anon_enter_frame - @f, a frame of owner FRAME_ANON, holds @a's bytes, or will when it is
 * no longer busy.
 * anon_leave_frame - it does no more: the frame is freed through @b. It is mapped nowhere
 * and not busy.
 * vm_lock held.
 */
void anon_enter_frame(struct anon *a, struct frame *f);
void anon_leave_frame(struct anon *a, struct tlb_batch *b);

/*
 * What a kernel with DEBUG=1 does lest a dirty bit be lost; else nothing. V held.
 *
 * anon_note_slot - the frame leaves; if it is dirty, its bytes are now those of the slot.
 * anon_expect_slot - panics if they are not any more, though the frame is clean.
 */
#ifdef DEBUG
void anon_note_slot(struct anon *a);
void anon_expect_slot(const struct anon *a);
#else
static inline void
anon_note_slot(struct anon *a UNUSED)
{
}

static inline void
anon_expect_slot(const struct anon *a UNUSED)
{
}
#endif

/*
 * Frees @a if nobody names it any more and its frame is not travelling; else whoever ends
 * the journey calls again. vm_lock held.
 */
void anon_settle(struct anon *a, struct tlb_batch *b);

/*
 * One more, one less table entry names it. The last one frees it; its frame
 * goes through @b. vm_lock held.
 */
static inline void
anon_get(struct anon *a)
{
    ASSERT(a->refs > 0);
    a->refs++;
}

static inline void
anon_put(struct anon *a, struct tlb_batch *b)
{
    ASSERT(a->refs > 0);
    if (--a->refs == 0)
        anon_settle(a, b);
}

/* Anons that exist, and those of them that have no frame. */
uint64_t anon_count(void);
uint64_t anon_count_out(void);
