/*
 * policy_random.c - any frame at all.
 *
 * No order, no bits, no history, and still never the worst there is: a loop over a little more
 * than memory, which makes clock and LRU miss every time, lets random keep most of its pages.
 * What it cannot do is tell a page that is used all the time from one that never is.
 */
#include "mm/policy.h"

#include "kernel/lib/random.h"
#include "mm/frame.h"

#define TRIES 64 /* after so many frames that are no pages, the next in line has to do */

static struct list pages = LIST_INIT(pages);
static uint64_t state;
static uint64_t length;
static uint64_t asked; /* candidates since one last left */

static void
random_enter(struct frame *f)
{
    list_push_back(&pages, &f->link);
    length++;
}

static void
random_leave(struct frame *f)
{
    list_del(&f->link);
    length--;
    asked = 0;
}

/* xorshift64 (G. Marsaglia, "Xorshift RNGs", 2003): this need not be hard to guess, only fair. */
static uint64_t
draw(void)
{
    while (state == 0)
        random_bytes(&state, sizeof(state));
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static struct frame *
random_next(struct tlb_batch *b UNUSED)
{
    if (list_empty(&pages))
        return NULL;
    /* As many in vain as there are pages: now each is asked in turn. */
    for (unsigned try = asked++ < length ? 0 : TRIES; try < TRIES; try++) {
        struct frame *f = frame_nth(draw());

        if (f->queued)
            return f;
    }
    return list_entry(list_rotate(&pages), struct frame, link);
}

static bool
random_spare(struct frame *f UNUSED, struct tlb_batch *b UNUSED)
{
    return false;
}

const struct policy policy_random = {"random", random_enter, random_leave, random_next,
                                     random_spare};
