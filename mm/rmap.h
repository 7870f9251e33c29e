/*
 * rmap.h - who maps this frame; the only code that changes a user PTE.
 *
 *   - For each present user PTE there is one struct rmap in its frame's
 *     list, and the other way round.
 *   - The frame of zeros is the exception: it is mapped anywhere, read-only, never
 *     reclaimed, and keeps no list.
 *   - vm_lock guards lists and PTEs.
 */
#pragma once

#include "kernel/sched/mutex.h"
#include "mm/pte.h"

struct frame;
struct space;
struct tlb_batch;

/* Level 2 of the lock order: anons, objects, frame ownership, rmaps, all user PTEs. */
extern struct mutex vm_lock;

struct rmap {
    struct space *space;
    vaddr_t va;
    struct rmap *next;
};

#define RMAP_LOCKED 0x100U /* beside PROT_*: the entry is marked PTE_LOCKED */

/* Entries that point to @f; 0 for the frame of zeros. vm_lock held. */
unsigned rmap_mappings(const struct frame *f);

/* Links that exist: one for each mapped page. */
uint64_t rmap_count(void);

/*
 * rmap_enter - map @f at @va, instead of whatever is mapped there.
 *
 * @prot: PROT_READ, PROT_WRITE, PROT_EXEC: the rights that the entry gets; RMAP_LOCKED.
 * @b:    receives what has to be flushed when an older entry goes.
 * Locks:   vm_lock and space->lock.  Does not sleep.
 * Returns: 0, or -ENOMEM with nothing changed.
 */
int rmap_enter(struct space *s, vaddr_t va, struct frame *f, unsigned prot,
               struct tlb_batch *b) MUST_CHECK;

/* The same for who knows @e, the entry of @va. */
int rmap_enter_at(struct space *s, vaddr_t va, pte_t *e, struct frame *f, unsigned prot,
                  struct tlb_batch *b) MUST_CHECK;

/* Removes the present entry @e of @va; its A and D bits go to the frame. */
void rmap_remove(struct space *s, vaddr_t va, pte_t *e, struct tlb_batch *b);

/* Removes every entry of [start, end), page tables stay. */
void rmap_remove_range(struct space *s, vaddr_t start, vaddr_t end, struct tlb_batch *b);

/* Removes every entry that points to @f, in all spaces. */
void rmap_remove_all(struct frame *f, struct tlb_batch *b);

/* Takes the write right away from every entry that points to @f. */
void rmap_write_protect(struct frame *f, struct tlb_batch *b);

/* Takes the write right away from the entry @e of @va. */
void rmap_write_protect_pte(struct space *s, vaddr_t va, pte_t *e, struct tlb_batch *b);

/* Gives the entry @e of @va other rights; those that are lost go to the batch. */
void rmap_set_rights(struct space *s, vaddr_t va, pte_t *e, unsigned prot, struct tlb_batch *b);

/* Marks the entries of [start, end) as locked or not. vm_lock held. */
void rmap_mark_locked(struct space *s, vaddr_t start, vaddr_t end, bool locked);

/* True if an entry that points to @f is marked. */
bool rmap_locked(const struct frame *f);

/* True if the processor used @f through any entry since the last call (A bits, then cleared). */
bool rmap_test_clear_accessed(struct frame *f, struct tlb_batch *b);

/* Forgets that the pages of [start, end) were used. vm_lock held. */
void rmap_clear_accessed(struct space *s, vaddr_t start, vaddr_t end, struct tlb_batch *b);
