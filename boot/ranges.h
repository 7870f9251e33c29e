/*
 * ranges.h - a short sorted list of address ranges, and taking pieces out of it.
 *
 * What the boot code needs to make one clean list of RAM out of a loader's memory
 * map, whose entries may overlap, touch, be out of order or not be aligned.  Knows
 * nothing of loaders.  Invariant: sorted by start, disjoint, none empty, none touching.
 */
#pragma once

#include "boot/bootinfo.h"

struct ranges {
    struct boot_range *at; /* room for @max */
    unsigned count, max;
    uint64_t lost; /* bytes left out because the list was full */
};

/*
 * ranges_add - [start, end) belongs to the set from now on; joins what touches or overlaps.
 * A full list leaves the smallest range out and counts its bytes in r->lost.
 */
void ranges_add(struct ranges *r, uint64_t start, uint64_t end);

/* [start, end) does not belong to the set from now on. */
void ranges_remove(struct ranges *r, uint64_t start, uint64_t end);

/* Moves every edge inwards to a multiple of PAGE_SIZE; what becomes empty goes. */
void ranges_align(struct ranges *r);

/* Bytes in the set. */
uint64_t ranges_sum(const struct ranges *r);
