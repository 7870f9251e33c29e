/*
 * tlb.h - the processors' memory of page-table entries, and making them forget.
 *
 * A downgrade (an entry removed, made read-only, its A or D bit cleared) is not
 * real before the TLBs have forgotten the old entry.  Downgrades are gathered in a
 * batch and carried out together by tlb_flush; frames that lost their last mapping
 * wait in the batch, because a frame may be used anew only after that.
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
    struct {
        struct pagetable *pt;
        vaddr_t va;
    } pages[TLB_BATCH_MAX];
    unsigned nframes;
    struct list frames; /* to free when the flush is done */
};

void tlb_batch_init(struct tlb_batch *b);

/* The entry of @va in @pt was downgraded. vm_lock held. */
void tlb_batch_add(struct tlb_batch *b, struct pagetable *pt, vaddr_t va);

/* @f lost its last mapping and its owner: free it after the flush. */
void tlb_batch_free(struct tlb_batch *b, struct frame *f);

/* Carries out the batch and leaves it empty. vm_lock held. */
void tlb_flush(struct tlb_batch *b);

/* Since boot: times that everything was forgotten, and single pages that were: V. */
extern uint64_t tlb_flushed_all, tlb_flushed_pages;
