/*
 * policy_clock.c - the clock, or second chance: first in, first out, but a frame that was used
 * since the hand last came by stays for another turn.
 *
 * The queue is the dial and its head the hand.  The processor sets the accessed bits; the hand
 * clears them as it passes, so a bit that is set again was used in the meantime.
 */
#include "mm/policy.h"

#include "mm/frame.h"
#include "mm/rmap.h"

static struct list dial = LIST_INIT(dial);

static void
clock_enter(struct frame *f)
{
    list_push_back(&dial, &f->link);
}

static void
clock_leave(struct frame *f)
{
    list_del(&f->link);
}

static struct frame *
clock_next(struct tlb_batch *b UNUSED)
{
    struct list *hand = list_rotate(&dial);

    return hand == NULL ? NULL : list_entry(hand, struct frame, link);
}

static bool
clock_spare(struct frame *f, struct tlb_batch *b)
{
    // LAB swap/6 begin -- (void)f, (void)b; return false;
    return rmap_test_clear_accessed(f, b);
    // LAB end
}

const struct policy policy_clock = {"clock", clock_enter, clock_leave, clock_next, clock_spare};
