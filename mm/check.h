/*
 * check.h - vm_check(): every invariant of the memory system, as code.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * vm_check - look at every frame, space, region, anon and page-table entry.
 * Each violation is printed to the log in a line of its own.
 * Locks:   takes vm_lock; the caller holds none.
 * Returns: how many violations there are.
 */
unsigned vm_check(void);
