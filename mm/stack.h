/*
 * stack.h - stack growth, its limit and its guard gap.
 */
#pragma once

#include "kernel/lib/types.h"

struct region;
struct space;

/*
 * stack_grow - extend the stack region above @va down to it, if that is allowed.
 * Locks:   space->lock.  Does not sleep.
 * Returns: the region, which now holds @va, or NULL: nothing there grows, or not that far.
 */
struct region *stack_grow(struct space *s, vaddr_t va);
