/*
 * radix.h - a table from a 64-bit index to a pointer, as a tree.
 *
 *   - Grows and shrinks in height with the largest index in it; an empty one has no node.
 *   - Values are non-NULL pointers.  NULL stands for "nothing here".
 *   - Look-up, insertion and removal take a step for six bits of the index and for each four
 *     more, but hardly any where the last insertion was near.
 *   - Nothing here locks or sleeps.
 */
#pragma once

#include "kernel/lib/types.h"

#define RADIX_BITS  6
#define RADIX_SLOTS (1U << RADIX_BITS) /* values that lie side by side */

struct radix_node;

struct radix {
    struct radix_node *root;
    unsigned height; /* levels of nodes; 0 when root is NULL */
    /* The last level-1 node that radix_make went to, of the indices from @first on; or NULL. */
    struct radix_node *leaf;
    uint64_t first;
};

/* The value at @index, or NULL. */
void *radix_get(const struct radix *r, uint64_t index);

/*
 * radix_set - put @value at @index, where nothing or something may be.
 * Returns: 0, or -ENOMEM with the tree unchanged.
 */
int radix_set(struct radix *r, uint64_t index, void *value) MUST_CHECK;

/*
 * radix_reserve - make every node that a later radix_set at @index needs.
 * Returns: 0 (then radix_set at @index cannot fail until a radix_del), or -ENOMEM.
 */
int radix_reserve(struct radix *r, uint64_t index) MUST_CHECK;

/*
 * radix_make - the slot of @index, made if it is missing; NULL: no memory, nothing changed.
 * Those of the next indices follow it, up to the next multiple of RADIX_SLOTS.
 */
void **radix_make(struct radix *r, uint64_t index) MUST_CHECK;

/* Takes the value at @index out and returns it, or NULL; empty nodes are freed. */
void *radix_del(struct radix *r, uint64_t index);

/*
 * radix_next - the first value at or after *@index and before @end; *@index becomes its index.
 * Returns NULL when there is none.
 */
void *radix_next(const struct radix *r, uint64_t *index, uint64_t end);

/*
 * radix_run - the same, for who looks at many values: the slots from that one on that lie side by
 * side, *@n of them, all before @end. Others among them may be empty.
 * Who empties slots of a run calls radix_prune with its index afterwards.
 */
void **radix_run(const struct radix *r, uint64_t *index, uint64_t end, unsigned *n);

/* Frees the empty nodes on the way to @index, from the leaf up. */
void radix_prune(struct radix *r, uint64_t index);
