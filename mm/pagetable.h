/*
 * pagetable.h - build, walk, change and free one four-level table.
 *
 *   - This file knows entries and tables, not what the pages mean. User PTEs
 *     are changed only by rmap.c.
 *   - Nothing here flushes a TLB: see tlb.h.
 *
 * Locks: a user table needs vm_lock; the kernel's table has a spin lock of its own.
 */
#pragma once

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "mm/frame.h"
#include "mm/pte.h"

struct pagetable {
    paddr_t root;    /* for CR3 */
    uint32_t tables; /* frames that the user half takes, the root included */
    uint32_t cpus;   /* bit n: CPU n may hold entries of it in its TLB */
};

/*
 * Returns 0 with a table whose user half is empty and whose kernel half
 * is the kernel's; or -ENOMEM.
 */
int pagetable_init(struct pagetable *pt) MUST_CHECK;

/*
 * Frees all tables; the user half holds no present last-level entry any
 * more, and no CPU has it loaded.
 */
void pagetable_free(struct pagetable *pt);

/* The last-level entry for @va, or NULL if a table on the way is missing. */
pte_t *pagetable_find(const struct pagetable *pt, vaddr_t va);

/* The entries on the way to @va, root's first; 0 from the first absent one on. */
void pagetable_walk(const struct pagetable *pt, vaddr_t va, pte_t way[PT_LEVELS]);

/* The same, making the missing tables; NULL when there is no frame. */
pte_t *pagetable_make(struct pagetable *pt, vaddr_t va) MUST_CHECK;

/*
 * pagetable_next - the first present entry at or after *@va and before @end.
 * @last: NULL, or the entry of the page before *@va, if no table was freed since it was found.
 * Skips absent tables whole.  Returns NULL when there is none; *@va becomes its address.
 */
pte_t *pagetable_next(const struct pagetable *pt, pte_t *last, vaddr_t *va, vaddr_t end);

/*
 * The entry @e, NULL before the first, goes through all that are present in [from, to) of @pt;
 * @va is its address. No table may be freed meanwhile.
 */
#define pagetable_for_each(e, va, pt, from, to)                                             \
    for ((va) = (from), (e) = NULL; ((e) = pagetable_next((pt), (e), &(va), (to))) != NULL; \
         (va) += PAGE_SIZE)

/* The last-level entry @e has become present, or is no more. */
static inline void
pagetable_count(const pte_t *e, int more)
{
    frame_of(virt_to_phys(e))->used += more;
}

/*
 * A table whose descriptor does not count the entries that are in use; NULL: there is none.
 * vm_check asks.
 */
const struct frame *pagetable_miscounted(const struct pagetable *pt);

/*
 * pagetable_trim - take out the tables that cover addresses of [start, end) in the user half and
 * are empty.
 * @freed: receives their frames, by link; they may be freed only when every CPU has
 *         forgotten the space's entries.
 */
void pagetable_trim(struct pagetable *pt, vaddr_t start, vaddr_t end, struct list *freed);

/* Loads it on this CPU (NULL: the kernel's own, without a user half). Interrupts off. */
void pagetable_load(struct pagetable *pt);

/* The kernel's own table, for the CR3 of a processor that starts. */
paddr_t pagetable_kernel_root(void);

/*
 * Called once: builds the kernel's table from bootinfo and switches to it; the identity map of
 * the boot code is gone after.
 */
void pagetable_init_kernel(void);

/*
 * pagetable_map_kernel - one 4 KiB page of the kernel half. @bits: PTE_W,
 * PTE_NX, PTE_PCD ... (P, G added).
 * Returns: 0 or -ENOMEM.
 */
int pagetable_map_kernel(vaddr_t va, paddr_t pa, uint64_t bits) MUST_CHECK;

/* Takes it out; TLBs still remember it (tlb_flush_kernel). Returns the physical address it had. */
paddr_t pagetable_unmap_kernel(vaddr_t va);

/* Prints the walk of @va through @root, level by level, in words (panic, debugging). */
void pagetable_print_walk(paddr_t root, vaddr_t va);
