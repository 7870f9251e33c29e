/*
 * kvmap.c - addresses from KVMAP_BASE to the end of its GiB.
 *
 * Addresses come from a pointer that only moves up; what is freed is remembered
 * as a hole and handed out again to a request of the same size.
 * SIMPLE: holes are never merged, because nearly all requests are kernel
 * stacks, which have one size.
 *
 * The page below each piece is never mapped: a kernel stack that overflows faults there.
 */
#include "mm/kvmap.h"

#include "kernel/arch/spinlock.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/list.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/pagetable.h"
#include "mm/tlb.h"
#include "mm/tlbcheck.h"

struct hole {
    struct list link;
    vaddr_t start; /* of the guard page */
    unsigned pages;
};

static struct spinlock kvmap_lock = SPINLOCK_INIT("kvmap");
static struct list holes = LIST_INIT(holes);
static uint64_t used; /* bytes from KVMAP_BASE that were ever handed out */

static vaddr_t
kvmap_end(void)
{
    return ROUND_DOWN(KVMAP_BASE, KVMAP_SIZE) + KVMAP_SIZE;
}

/* Takes addresses for @pages pages with a guard page before them; 0: none left. */
static vaddr_t
take_addresses(unsigned pages)
{
    vaddr_t va = 0;
    struct hole *h, *found = NULL;

    spin_lock(&kvmap_lock);
    list_for_each (h, &holes, link) {
        if (h->pages == pages) {
            found = h;
            break;
        }
    }
    if (found != NULL) {
        list_del(&found->link);
        va = found->start + PAGE_SIZE;
    } else if (kvmap_end() - KVMAP_BASE - used >= (pages + 1) * PAGE_SIZE) {
        va = KVMAP_BASE + used + PAGE_SIZE;
        used += (pages + 1) * PAGE_SIZE;
    }
    spin_unlock(&kvmap_lock);
    kfree(found);
    return va;
}

/*
 * SIMPLE: without memory for the note the addresses are lost; there are a quarter
 * of a million pages of them.
 */
static void
give_addresses(vaddr_t va, unsigned pages)
{
    struct hole *h = kmalloc(sizeof(*h));

    if (h == NULL)
        return;
    h->start = va - PAGE_SIZE;
    h->pages = pages;
    spin_lock(&kvmap_lock);
    list_push_front(&holes, &h->link);
    spin_unlock(&kvmap_lock);
}

/* Unmaps and frees the first @pages pages at @va. Interrupts on where there are several CPUs. */
static void
drop_pages(vaddr_t va, unsigned pages)
{
    struct list freed = LIST_INIT(freed);
    struct list *l;

    for (unsigned i = 0; i < pages; i++) {
        struct frame *f = frame_of(pagetable_unmap_kernel(va + i * PAGE_SIZE));

        (void)tlbcheck_downgraded(NULL, va + i * PAGE_SIZE, f);
        list_push_back(&freed, &f->link);
    }
    tlb_flush_kernel(va, pages);
    while ((l = list_pop_front(&freed)) != NULL)
        frame_free(list_entry(l, struct frame, link));
}

void *
kvmap_alloc(unsigned pages)
{
    vaddr_t va = take_addresses(pages);

    if (va == 0)
        return NULL;
    for (unsigned i = 0; i < pages; i++) {
        struct frame *f = frame_alloc(FRAME_KERNEL, FRAME_ZEROED);

        if (f != NULL &&
            pagetable_map_kernel(va + i * PAGE_SIZE, frame_addr(f), PTE_W | PTE_NX) == 0)
            continue;
        if (f != NULL)
            frame_free(f);
        drop_pages(va, i);
        give_addresses(va, pages);
        return NULL;
    }
    return (void *)va;
}

void
kvmap_free(void *p, unsigned pages)
{
    drop_pages((vaddr_t)p, pages);
    give_addresses((vaddr_t)p, pages);
}

void *
kvmap_device(paddr_t pa, size_t len, bool write_combining)
{
    paddr_t first = page_floor(pa);
    unsigned pages = (page_ceil(pa + len) - first) / PAGE_SIZE;
    vaddr_t va = take_addresses(pages);
    uint64_t bits = PTE_W | PTE_NX | (write_combining ? PTE_PWT : PTE_PCD);

    if (va == 0)
        return NULL;
    for (unsigned i = 0; i < pages; i++) {
        if (pagetable_map_kernel(va + i * PAGE_SIZE, first + i * PAGE_SIZE, bits) != 0) {
            while (i-- > 0)
                (void)pagetable_unmap_kernel(va + i * PAGE_SIZE);
            tlb_flush_kernel(va, pages);
            give_addresses(va, pages);
            return NULL;
        }
    }
    return (char *)va + (pa - first);
}

void *
dma_alloc(unsigned pages)
{
    struct frame *f = frame_alloc_contiguous(pages);

    return f != NULL ? frame_data(f) : NULL;
}

void
kvmap_get_overhead(uint64_t *notes, uint64_t *tables)
{
    struct hole *h;

    *notes = 0;
    spin_lock(&kvmap_lock);
    list_for_each (h, &holes, link)
        ++*notes;
    *tables = (ROUND_UP(KVMAP_BASE + used, pt_span(2)) - ROUND_DOWN(KVMAP_BASE, pt_span(2))) /
              pt_span(2);
    spin_unlock(&kvmap_lock);
}
