/*
 * stack.c - a stack grows by being touched.
 *
 * A fault below a region that grows down extends the region to the page of the
 * fault, if two things allow it:
 *
 *     the limit:  the region stays within RLIMIT_STACK;
 *     the gap:    STACK_GUARD_GAP bytes below stay unmapped, so that a stack
 *                 that overflows faults instead of writing into its neighbour.
 *
 * It does not matter where the stack pointer is: a function may skip over a large
 * array, and the kernel may be the one that touches the stack, in read().
 */
#include "mm/stack.h"

#include "kernel/lib/assert.h"
#include "kernel/trace/trace.h"
#include "mm/commit.h"
#include "mm/layout.h"
#include "mm/space.h"

struct region *
stack_grow(struct space *s, vaddr_t va)
{
    struct region *r = space_find_from(s, va);
    vaddr_t start = page_floor(va);

    ASSERT(mutex_held(&s->lock));
    if (r == NULL || !r->grows_down || va < USER_BOTTOM)
        return NULL;
    if (r->end - start > s->stack_limit)
        return NULL;

    uint64_t pages = (r->start - start) / PAGE_SIZE;

    if (space_may_grow(s, pages, r->locked) != 0)
        return NULL;

    struct region *below = region_prev(s, r);

    /* What nobody can use needs no distance: PROT_NONE is a guard already. */
    if (below != NULL && below->prot != 0 && start - below->end < STACK_GUARD_GAP)
        return NULL;
    if (r->promise == PROMISE_MADE && commit_charge(pages) != 0)
        return NULL;
    region_grow_down(s, r, start);
    trace_map(r->prot, start, pages);
    return r;
}
