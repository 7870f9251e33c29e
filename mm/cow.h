/*
 * cow.h - copy-on-write.
 */
#pragma once

#include "mm/fault.h"

struct anon;
struct frame;

/*
 * cow_write_anon - a store to a private page that exists as @a.
 * The only sharer left writes in place; otherwise the page is copied to a new anon.
 * Locks: space->lock and vm_lock.  Returns FAULT_DONE, FAULT_WAIT_MEMORY.
 */
enum fault_result cow_write_anon(struct fault *f, struct anon *a);

/*
 * cow_write_source - the first store to a private page whose bytes are still @source's (a
 * file's frame, or the zeros).
 */
enum fault_result cow_write_source(struct fault *f, const struct frame *source);
