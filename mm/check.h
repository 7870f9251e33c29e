/*
 * check.h - vm_check(): every invariant of the memory system, as code.
 */
#pragma once

#include "kernel/lib/types.h"

struct frame;

/*
 * vm_check - look at every frame, space, region, anon and page-table entry.
 * Each violation is printed to the log in a line of its own.
 * Locks:   takes vm_lock; the caller holds none.
 * Returns: how many violations there are.
 */
unsigned vm_check(void);

/*
 * vm_check_tell - the same for who does not want it in the log.
 * @tell: called for each violation, perhaps with vm_lock held.
 *        @f: the frame that it is about, NULL: none, or several.  @text: a sentence.
 */
typedef void (*check_teller)(const struct frame *f, const char *text, void *arg);
unsigned vm_check_tell(check_teller tell, void *arg);
