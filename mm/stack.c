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

#include "kernel/abi/mman.h"
#include "kernel/lib/assert.h"
#include "kernel/trace/trace.h"
#include "mm/commit.h"
#include "mm/layout.h"
#include "mm/space.h"

/* The region that would have to grow for @va, or NULL. */
static struct region *
growing_region(struct space *s, vaddr_t va)
{
    // LAB stack/1 begin -- @none
    struct region *r = space_find_from(s, va);

    return r != NULL && r->grows_down && va >= USER_BOTTOM ? r : NULL;
    // LAB end
}

/* May @r begin at @start, by RLIMIT_STACK, RLIMIT_AS and RLIMIT_MEMLOCK? */
static bool
within_limits(const struct space *s, const struct region *r, vaddr_t start)
{
    // LAB stack/2 begin -- @unlimited
    return r->end - start <= s->stack_limit &&
           space_may_grow(s, (r->start - start) / PAGE_SIZE, r->locked) == 0;
    // LAB end
}

/*
 * Does the gap below @start stay free?  What nobody can use needs no distance: PROT_NONE is a
 * guard already.
 */
static bool
keeps_distance(const struct space *s, const struct region *r, vaddr_t start)
{
    // LAB stack/3 begin -- @close
    const struct region *below = region_prev(s, r);

    return below == NULL || below->prot == PROT_NONE || start - below->end >= STACK_GUARD_GAP;
    // LAB end
}

/* Moves the lower edge of @r down to @start; false when the new pages cannot be promised. */
static bool
extend(struct space *s, struct region *r, vaddr_t start)
{
    uint64_t pages = (r->start - start) / PAGE_SIZE;

    // LAB stack/1 begin -- @stay
    if (r->promise == PROMISE_MADE && commit_charge(pages) != 0)
        return false;
    region_grow_down(s, r, start);
    // LAB end
    trace_map(r->prot, start, pages);
    return true;
}

struct region *
stack_grow(struct space *s, vaddr_t va)
{
    vaddr_t start = page_floor(va);

    ASSERT(mutex_held(&s->lock));
    struct region *r = growing_region(s, va);

    if (r == NULL || !within_limits(s, r, start) || !keeps_distance(s, r, start))
        return NULL;
    return extend(s, r, start) ? r : NULL;
}
