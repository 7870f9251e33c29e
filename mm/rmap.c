/*
 * rmap.c - the reverse map: from a frame to every page-table entry that points to it.
 *
 * Reclaim, truncate and write-back begin at a frame and must find its entries;
 * everything else begins at an address.  Because this file alone changes user
 * entries, list and entries cannot disagree (invariant 1), and each
 * downgrade reaches the TLB batch.
 *
 * Called by demand.c, cow.c, clone.c, mmap.c, object.c, reclaim.c.  Locks: all under vm_lock.
 */
#include "mm/rmap.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/lib/assert.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/space.h"
#include "mm/tlb.h"
#include "mm/tlbcheck.h"

struct mutex vm_lock = MUTEX_INIT(vm_lock, "vm_lock");

/* The right bits of an entry for PROT_*; an entry that allows nothing is not made. */
static uint64_t
rights(unsigned prot)
{
    return PTE_P | PTE_U | (prot & PROT_WRITE ? PTE_W : 0) | (prot & PROT_EXEC ? 0 : PTE_NX) |
           (prot & RMAP_LOCKED ? PTE_LOCKED : 0);
}

/* Which of the space's counters @f is in. */
static uint64_t *
resident_counter(struct space *s, const struct frame *f)
{
    return f->owner == FRAME_ANON ? &s->resident_anon : &s->resident_file;
}

static uint64_t links;

uint64_t
rmap_count(void)
{
    return links;
}

unsigned
rmap_mappings(const struct frame *f)
{
    unsigned n = 0;

    for (const struct rmap *m = f->maps; m != NULL; m = m->next)
        n++;
    return n;
}

static int
link_enter(struct space *s, vaddr_t va, struct frame *f)
{
    if (f == frame_zero)
        return 0;

    struct rmap *r = kmalloc(sizeof(*r));

    if (r == NULL)
        return -ENOMEM;
    r->space = s;
    r->va = va;
    r->next = f->maps;
    f->maps = r;
    links++;
    (*resident_counter(s, f))++;
    return 0;
}

static void
link_remove(struct space *s, vaddr_t va, struct frame *f)
{
    if (f == frame_zero)
        return;
    for (struct rmap **p = &f->maps; *p != NULL; p = &(*p)->next) {
        struct rmap *r = *p;

        if (r->space != s || r->va != va)
            continue;
        *p = r->next;
        kfree(r);
        links--;
        (*resident_counter(s, f))--;
        return;
    }
    panic("rmap: the frame at %#lx does not know of its mapping at %#lx", frame_addr(f), va);
}

/* True if an entry allows less than it did, or has forgotten what was done through it. */
static bool
is_downgrade(uint64_t was, uint64_t is)
{
    return (was & PTE_P) &&
           ((was & ~is & (PTE_P | PTE_W | PTE_A | PTE_D)) || (is & ~was & PTE_NX));
}

/*
 * The step by which a present entry changes: what allows less afterwards is in the batch, so none
 * can be forgotten. Returns what it was.
 */
static pte_t
entry_change(struct space *s, vaddr_t va, pte_t *e, uint64_t clear, uint64_t set,
             struct tlb_batch *b)
{
    // LAB pgtbl/6 begin -- @change
    pte_t old = *e;
    uint64_t new;

    do
        new = (old.bits & ~clear) | set;
    while (!pte_replace(e, &old, new));
    if (is_downgrade(old.bits, new))
        tlb_batch_add(b, &s->pt, va, frame_of(pte_addr(old)));
    return old;
    // LAB end
}

static void
take_bits(struct frame *f, pte_t e)
{
    if (e.bits & PTE_A)
        f->referenced = true;
    if ((e.bits & PTE_D) && f->owner == FRAME_ANON)
        f->dirty = true;
}

int
rmap_enter(struct space *s, vaddr_t va, struct frame *f, unsigned prot, struct tlb_batch *b)
{
    pte_t *e = pagetable_make(&s->pt, va);

    return e == NULL ? -ENOMEM : rmap_enter_at(s, va, e, f, prot, b);
}

int
rmap_enter_at(struct space *s, vaddr_t va, pte_t *e, struct frame *f, unsigned prot,
              struct tlb_batch *b)
{
    ASSERT(mutex_held(&vm_lock));
    ASSERT(!f->busy && va < USER_TOP);
    ASSERT(f != frame_zero || !(prot & PROT_WRITE));

    if (pte_present(*e) && pte_addr(*e) == frame_addr(f)) {
        rmap_set_rights(s, va, e, prot, b);
        return 0;
    }
    if (link_enter(s, va, f) != 0)
        return -ENOMEM;
    if (pte_present(*e)) {
        rmap_remove(s, va, e, b);
        /* First: a thread that stores to the new page might tell one that still sees the old. */
        tlb_flush(b);
    }
    tlbcheck_entry(&s->pt, va);
    *e = pte_make(frame_addr(f), rights(prot) | PTE_A);
    pagetable_count(e, 1);
    return 0;
}

void
rmap_remove(struct space *s, vaddr_t va, pte_t *e, struct tlb_batch *b)
{
    struct frame *f = frame_of(pte_addr(*e));

    ASSERT(mutex_held(&vm_lock));
    take_bits(f, entry_change(s, va, e, UINT64_MAX, 0, b));
    pagetable_count(e, -1);
    link_remove(s, va, f);
}

void
rmap_remove_range(struct space *s, vaddr_t start, vaddr_t end, struct tlb_batch *b)
{
    vaddr_t va;
    pte_t *e;

    pagetable_for_each (e, va, &s->pt, start, end)
        rmap_remove(s, va, e, b);
}

void
rmap_remove_all(struct frame *f, struct tlb_batch *b)
{
    while (f->maps != NULL) {
        struct rmap *r = f->maps;

        rmap_remove(r->space, r->va, pagetable_find(&r->space->pt, r->va), b);
    }
}

void
rmap_set_rights(struct space *s, vaddr_t va, pte_t *e, unsigned prot, struct tlb_batch *b)
{
    tlbcheck_entry(&s->pt, va);
    (void)entry_change(s, va, e, PTE_RIGHTS, rights(prot) | PTE_A, b);
}

void
rmap_write_protect_pte(struct space *s, vaddr_t va, pte_t *e, struct tlb_batch *b)
{
    if (!pte_writable(*e))
        return;
    take_bits(frame_of(pte_addr(*e)), entry_change(s, va, e, PTE_W | PTE_D, 0, b));
}

void
rmap_write_protect(struct frame *f, struct tlb_batch *b)
{
    for (struct rmap *r = f->maps; r != NULL; r = r->next)
        rmap_write_protect_pte(r->space, r->va, pagetable_find(&r->space->pt, r->va), b);
}

void
rmap_mark_locked(struct space *s, vaddr_t start, vaddr_t end, bool locked)
{
    vaddr_t va;
    pte_t *e;

    ASSERT(mutex_held(&vm_lock));
    pagetable_for_each (e, va, &s->pt, start, end)
        (void)(locked ? pte_set_bits(e, PTE_LOCKED) : pte_clear_bits(e, PTE_LOCKED));
}

bool
rmap_locked(const struct frame *f)
{
    for (const struct rmap *r = f->maps; r != NULL; r = r->next)
        if ((r->space->locked_pages > 0 || objects_locked > 0) &&
            (pagetable_find(&r->space->pt, r->va)->bits & PTE_LOCKED))
            return true;
    return false;
}

/* Returns what it was. */
static bool
clear_accessed(struct space *s, vaddr_t va, pte_t *e, struct tlb_batch *b)
{
    // LAB swap/6 begin -- (void)s, (void)va, (void)e, (void)b; return false;
    if (!(e->bits & PTE_A))
        return false;
    (void)entry_change(s, va, e, PTE_A, 0, b);
    return true;
    // LAB end
}

bool
rmap_test_clear_accessed(struct frame *f, struct tlb_batch *b)
{
    bool used = f->referenced;

    f->referenced = false;
    for (struct rmap *r = f->maps; r != NULL; r = r->next)
        used |= clear_accessed(r->space, r->va, pagetable_find(&r->space->pt, r->va), b);
    return used;
}

void
rmap_clear_accessed(struct space *s, vaddr_t start, vaddr_t end, struct tlb_batch *b)
{
    vaddr_t va;
    pte_t *e;

    pagetable_for_each (e, va, &s->pt, start, end) {
        frame_of(pte_addr(*e))->referenced = false;
        (void)clear_accessed(s, va, e, b);
    }
}
