/*
 * kvmap.h - kernel memory that needs addresses of its own: stacks behind guard
 * pages, device registers, physically contiguous pieces.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * kvmap_alloc - @pages frames at contiguous kernel addresses, zeroed,
 * behind an unmapped guard page.
 * Locks:   takes kvmap's own lock; does not sleep.
 * Returns: the lowest address, or NULL when there are no frames or no addresses left.
 */
void *kvmap_alloc(unsigned pages) MUST_CHECK;

/* Gives back what kvmap_alloc(@pages) returned. */
void kvmap_free(void *p, unsigned pages);

/*
 * kvmap_device - map @len bytes of device memory at @pa for ever.
 * @write_combining: stores may be gathered (a framebuffer); otherwise uncached.
 * Returns: a pointer to the byte at @pa, or NULL.
 */
void *kvmap_device(paddr_t pa, size_t len, bool write_combining) MUST_CHECK;

/*
 * dma_alloc - @pages physically contiguous frames, zeroed, for a device; never freed.
 * Only while booting, before the first process; afterwards single frames come from frame_alloc.
 * Returns: pointer into the direct map (virt_to_phys gives the address), or NULL.
 */
void *dma_alloc(unsigned pages) MUST_CHECK;

/*
 * kvmap_get_overhead - what is kept to manage addresses, and grows with the most
 * that were ever in use at once.
 * @notes:  kmalloc() objects that remember addresses given back.
 * @tables: page tables (FRAME_KERNEL) for all addresses ever used, at one per 2 MiB.
 * For the count of leaks: these are none.  Any context.
 */
void kvmap_get_overhead(uint64_t *notes, uint64_t *tables);
