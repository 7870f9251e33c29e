/*
 * tlb.c - TLB invalidation, in batches.
 *
 * Only a CPU whose bit is set in pagetable->cpus can hold entries of a user
 * space: the bit is set before CR3 is loaded and cleared after another table is loaded, and
 * loading CR3 forgets everything that is not global (Intel SDM vol. 3A 4.10.4.1).
 */
#include "mm/tlb.h"

#include "kernel/arch/cpu.h"
#include "kernel/lib/assert.h"
#include "mm/frame.h"
#include "mm/pagetable.h"

uint64_t tlb_flushed_all, tlb_flushed_pages;

void
tlb_batch_init(struct tlb_batch *b)
{
    b->n = 0;
    b->all = false;
    b->nframes = 0;
    list_init(&b->frames);
}

void
tlb_batch_add(struct tlb_batch *b, struct pagetable *pt, vaddr_t va)
{
    if (pt->cpus == 0)
        return; /* no CPU has it loaded, so none remembers it */
    if (b->n == TLB_BATCH_MAX) {
        b->all = true;
        return;
    }
    b->pages[b->n].pt = pt;
    b->pages[b->n].va = va;
    b->n++;
}

void
tlb_batch_free(struct tlb_batch *b, struct frame *f)
{
    list_push_back(&b->frames, &f->link);
    b->nframes++;
}

void
tlb_flush(struct tlb_batch *b)
{
    struct list *l;
    struct cpu *c = this_cpu();

    ASSERT(cpu_count == 1); /* a second CPU needs a shootdown here */
    if (b->all) {
        write_cr3(read_cr3());
        tlb_flushed_all++;
    } else {
        for (unsigned i = 0; i < b->n; i++) {
            if (!(b->pages[i].pt->cpus & (1U << c->id)))
                continue;
            invlpg(b->pages[i].va);
            tlb_flushed_pages++;
        }
    }
    while ((l = list_pop_front(&b->frames)) != NULL)
        frame_free(list_entry(l, struct frame, link));
    b->n = b->nframes = 0;
    b->all = false;
}
