/*
 * tlb.h - the processors' memory of page-table entries, and making them forget.
 *
 * A downgrade (an entry removed, made read-only, its A or D bit cleared) is not
 * real before the TLBs have forgotten the old entry.  Downgrades are gathered in a
 * batch and carried out together by tlb_flush; frames that lost their last mapping
 * wait in the batch, because a frame may be used anew only after that.
 *
 * Other processors that use the table are sent a message and waited for ("shootdown").  One that
 * runs in another table, or idles, is not asked: it has forgotten when it loaded that, and will
 * read the entries anew when it comes back.
 *
 * Upgrades need nothing: a processor that faults on an entry reads it again
 * (Intel SDM vol. 3A 4.10.4.3).
 */
#pragma once

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

struct frame;
struct pagetable;

#define TLB_BATCH_MAX 16 /* more pages than this: forget everything */

struct tlb_batch {
    unsigned n;
    bool all;
    uint32_t cpus; /* bit n: CPU n may remember one of them */
    struct {
        struct pagetable *pt;
        vaddr_t va;
    } pages[TLB_BATCH_MAX];
    unsigned nframes;
    struct list frames; /* to free when the flush is done */
};

void tlb_batch_init(struct tlb_batch *b);

/*
 * The entry of @va in @pt, which led to @f, has been downgraded, in a locked step (pte.h).
 * vm_lock held.
 */
void tlb_batch_add(struct tlb_batch *b, struct pagetable *pt, vaddr_t va,
                   const struct frame *f);

/* @f lost its last mapping and its owner: free it after the flush. */
void tlb_batch_free(struct tlb_batch *b, struct frame *f);

/*
 * tlb_flush - carry out the batch and leave it empty.
 * When it returns, no CPU remembers what the entries were, and the frames are free.
 * vm_lock held; interrupts on, no spin lock held: other CPUs are waited for.
 */
void tlb_flush(struct tlb_batch *b);

/*
 * tlb_flush_kernel - all CPUs forget @pages pages of the kernel's half from @va on.
 * Interrupts on, no spin lock held, where there are several CPUs.
 */
void tlb_flush_kernel(vaddr_t va, unsigned pages);

/* Registers the message's handler; before the second CPU starts. */
void tlb_init(void);

/* Since boot, on all CPUs: A. */
struct tlb_stats {
    uint64_t all;        /* times that a CPU forgot everything */
    uint64_t pages;      /* single pages that one forgot */
    uint64_t shootdowns; /* times that others were asked, */
    uint64_t messages;   /* and how many they were */
};
extern struct tlb_stats tlb_stats;
