/*
 * clone.h - an address space for fork.
 */
#pragma once

#include "kernel/lib/types.h"

struct space;

/*
 * space_clone - a copy-on-write copy of @parent.
 *
 * The child gets the same regions and names the same anons; its page table is empty and fills
 * by faults.  No page is copied.
 * Locks:   none held; takes parent->lock and vm_lock.  Sleeps.
 * Returns: the new space, or NULL when there is no memory (the parent is as before).
 */
struct space *space_clone(struct space *parent) MUST_CHECK;
