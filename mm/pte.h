/*
 * pte.h - the bits of a page-table entry (Intel SDM vol. 3A 4.5, "4-Level Paging").
 *
 * pte_t is a struct, so the compiler keeps an entry and an address apart.
 */
#pragma once

#include "kernel/lib/types.h"

typedef struct {
    uint64_t bits;
} pte_t;

#define PTE_P      (1UL << 0)  /* present */
#define PTE_W      (1UL << 1)  /* writable */
#define PTE_U      (1UL << 2)  /* user mode may use it */
#define PTE_PWT    (1UL << 3)  /* write-through */
#define PTE_PCD    (1UL << 4)  /* cache disabled: device memory */
#define PTE_A      (1UL << 5)  /* accessed: set by the processor */
#define PTE_D      (1UL << 6)  /* dirty: set by the processor, in the last level */
#define PTE_PS     (1UL << 7)  /* maps 2 MiB (level 2) or 1 GiB (level 3) */
#define PTE_G      (1UL << 8)  /* global: survives a CR3 load */
#define PTE_LOCKED (1UL << 9)  /* ours, not the processor's: reclaim leaves the page alone */
#define PTE_NX     (1UL << 63) /* no instruction fetch */

#define PTE_ADDR   0x000ffffffffff000UL
#define PTE_RIGHTS (PTE_W | PTE_U | PTE_NX | PTE_LOCKED)

#define PT_ENTRIES 512
#define PT_LEVELS  4

static inline pte_t
pte_make(paddr_t pa, uint64_t bits)
{
    return (pte_t){pa | bits};
}

/*
 * Every change of an entry that processors may be using is one locked step: they set A and D
 * meanwhile, and what they set must not be lost.  The step is a fence too: who reads after it
 * which CPUs use the table (tlb_batch_add) knows all that may have read the entry as it was.
 */
static inline pte_t
pte_exchange(pte_t *e, uint64_t bits)
{
    return (pte_t){__atomic_exchange_n(&e->bits, bits, __ATOMIC_SEQ_CST)};
}

/* To @new, if the entry is *@old still; else false, and *@old is what it is. */
static inline bool
pte_replace(pte_t *e, pte_t *old, uint64_t new)
{
    return __atomic_compare_exchange_n(&e->bits, &old->bits, new, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* These return what the entry was. */
static inline pte_t
pte_clear_bits(pte_t *e, uint64_t bits)
{
    return (pte_t){__atomic_fetch_and(&e->bits, ~bits, __ATOMIC_SEQ_CST)};
}

static inline pte_t
pte_set_bits(pte_t *e, uint64_t bits)
{
    return (pte_t){__atomic_fetch_or(&e->bits, bits, __ATOMIC_SEQ_CST)};
}

static inline bool
pte_present(pte_t e)
{
    return e.bits & PTE_P;
}

static inline bool
pte_writable(pte_t e)
{
    return e.bits & PTE_W;
}

static inline paddr_t
pte_addr(pte_t e)
{
    return e.bits & PTE_ADDR;
}

/* Which of the 512 entries of its level's table @va selects; level 1 is the last. */
static inline unsigned
pt_index(vaddr_t va, int level)
{
    return (va >> (PAGE_SHIFT + 9 * (level - 1))) & (PT_ENTRIES - 1);
}

/* Bytes of address space that one entry of a level's table covers. */
static inline uint64_t
pt_span(int level)
{
    return PAGE_SIZE << (9 * (level - 1));
}
