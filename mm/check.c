/*
 * check.c - the invariants of docs/invariants.md, recomputed from scratch.
 *
 * Every entry of every page table is held against the reverse map and against
 * what the region says; then every frame against what its owner says; counts must agree both ways.
 *
 * Called by /proc/vitrine/check, which init reads at the end of each run, from gdb, and by the
 * map of frames on the screen.
 */
#include "mm/check.h"

#include "kernel/abi/mman.h"
#include "kernel/lib/printf.h"
#include "mm/anon.h"
#include "mm/frame.h"
#include "mm/object.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/swap.h"

#define LOGGED   20  /* lines at most; one mistake can break very many */
#define SENTENCE 128 /* bytes of the longest */

struct census {
    unsigned violations;
    check_teller tell;
    void *arg;           /* for it */
    uint64_t entries;    /* present user PTEs, the frame of zeros apart */
    uint64_t rmaps;      /* links in the lists of frames */
    uint64_t references; /* table entries of spaces that name an anon */
    uint64_t anon_refs;  /* sum of refs over the anons that frames name */
    unsigned left_out;   /* spaces that are being changed */
    uint64_t by_owner[FRAME_OWNERS];
};

/* @f: the frame that it is about, NULL: none, or several. */
static void PRINTF_LIKE(3, 4)
    violation(struct census *c, const struct frame *f, const char *fmt, ...)
{
    char text[SENTENCE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    c->violations++;
    c->tell(f, text, c->arg);
}

static bool
frame_knows(const struct frame *f, const struct space *s, vaddr_t va)
{
    for (const struct rmap *r = f->maps; r != NULL; r = r->next)
        if (r->space == s && r->va == va)
            return true;
    return false;
}

/* Invariants 1, 2, 4 and 7, for one entry. */
static void
check_entry(struct census *c, struct space *s, const struct region *r, vaddr_t va, pte_t e)
{
    if (!frame_exists(pte_addr(e))) {
        violation(c, NULL, "%#lx maps %#lx, which is no frame", va, pte_addr(e));
        return;
    }

    struct frame *f = frame_of(pte_addr(e));

    if (!(e.bits & PTE_U))
        violation(c, f, "%#lx: the entry is not the user's", va);
    if (pte_writable(e) && !(e.bits & PTE_NX) && !(r->prot & PROT_EXEC && r->prot & PROT_WRITE))
        violation(c, f, "%#lx is writable and executable", va);
    if (pte_writable(e) && !(r->prot & PROT_WRITE))
        violation(c, f, "%#lx is writable, its region is not", va);
    if (f == frame_zero) {
        if (pte_writable(e))
            violation(c, f, "%#lx: the frame of zeros is writable", va);
        return;
    }
    c->entries++;
    if (!frame_knows(f, s, va))
        violation(c, f, "%#lx maps frame %#lx, which does not know", va, frame_addr(f));
    if (f->busy)
        violation(c, f, "%#lx maps the busy frame %#lx", va, frame_addr(f));
    if (f->owner != FRAME_ANON && f->owner != FRAME_OBJECT)
        violation(c, f, "%#lx maps frame %#lx, whose owner is %d", va, frame_addr(f), f->owner);
    if (pte_writable(e) && !r->shared && (f->owner != FRAME_ANON || f->anon->refs != 1))
        violation(c, f, "%#lx: a private page is writable and shared", va);
}

/* Invariants 3 and 5, for one entry of a table that names anons. */
static void
check_anon(struct census *c, const struct anon *a)
{
    if (a->frame == NULL && a->slot == 0)
        violation(c, a->frame, "an anon has neither frame nor slot");
    if (a->slot != 0 && !swap_slot_used(a->slot))
        violation(c, a->frame, "an anon's slot %#x is not marked used", a->slot);
    if (a->refs == 0)
        violation(c, a->frame, "an anon that a table names has no reference");
}

static void
check_shm(struct radix *pages, void *arg)
{
    const struct anon *a;

    for (uint64_t i = 0; (a = radix_next(pages, &i, UINT64_MAX)) != NULL; i++)
        check_anon(arg, a);
}

static void
check_space(struct space *s, void *arg)
{
    struct census *c = arg;
    struct region *r;
    vaddr_t end = 0, va;
    uint64_t pages = 0, privates = 0;
    const struct frame *wrong;
    struct anon *a;
    pte_t *e;

    /*
     * Regions change under the space's lock alone, which comes before vm_lock: a space that
     * somebody is changing is left out.  Where it matters, at the end, nobody does.
     */
    if (!mutex_try_lock(&s->lock)) {
        c->left_out++;
        return;
    }
    region_for_each (r, s) {
        if (!page_aligned(r->start) || !page_aligned(r->end) || r->start >= r->end ||
            r->start < end)
            violation(c, NULL, "region %#lx-%#lx: not sorted, disjoint and aligned", r->start,
                      r->end);
        /* Nothing is mapped, and no private page lies, between the regions. */
        if ((e = pagetable_next(&s->pt, NULL, &end, r->start)) != NULL)
            violation(c, NULL, "%#lx is mapped outside of regions", end);
        pagetable_for_each (e, va, &s->pt, r->start, r->end)
            check_entry(c, s, r, va, *e);
        for (uint64_t i = r->start >> PAGE_SHIFT;
             (a = radix_next(&s->private, &i, r->end >> PAGE_SHIFT)) != NULL; i++) {
            privates++;
            check_anon(c, a);
            c->references += a->frame != NULL;
            if (r->shared)
                violation(c, NULL, "a private page in the shared region at %#lx", r->start);
        }
        pages += (r->end - r->start) / PAGE_SIZE;
        end = r->end;
    }
    if ((e = pagetable_next(&s->pt, NULL, &end, USER_TOP)) != NULL)
        violation(c, NULL, "%#lx is mapped outside of regions", end);
    if ((wrong = pagetable_miscounted(&s->pt)) != NULL)
        violation(c, wrong, "page table %#lx counts %u entries, and has more or fewer",
                  frame_addr(wrong), wrong->used);
    if (pages != s->pages)
        violation(c, NULL, "a space of %lu pages counts %lu", pages, s->pages);
    if (privates != s->nprivate)
        violation(c, NULL, "%lu private pages lie in regions, %lu exist", privates,
                  s->nprivate);
    mutex_unlock(&s->lock);
}

/* Invariants 2, 3, 7: a frame and its owner agree. */
static void
check_frame(struct frame *f, void *arg)
{
    struct census *c = arg;

    c->by_owner[f->owner]++;
    if (f->owner == FRAME_KMALLOC)
        return;
    for (const struct rmap *r = f->maps; r != NULL; r = r->next)
        c->rmaps++;
    if (f->maps != NULL && (f->busy || (f->owner != FRAME_ANON && f->owner != FRAME_OBJECT)))
        violation(c, f, "frame %#lx (owner %d) is mapped and must not be", frame_addr(f),
                  f->owner);
    if (f->owner == FRAME_ANON && f->anon != NULL) {
        if (f->anon->frame != f)
            violation(c, f, "frame %#lx: its anon has another frame", frame_addr(f));
        if (f->anon->refs == 0 && !f->busy)
            violation(c, f, "frame %#lx: its anon has no reference", frame_addr(f));
        c->anon_refs += f->anon->refs;
    }
    if (f->owner == FRAME_OBJECT && f->object != NULL &&
        radix_get(&f->object->pages, f->index) != f)
        violation(c, f, "frame %#lx: page %u of its object is another", frame_addr(f),
                  f->index);
}

/* Page-table frames that the spaces count. */
static void
count_tables(struct space *s, void *arg)
{
    *(uint64_t *)arg += s->pt.tables;
}

unsigned
vm_check_tell(check_teller tell, void *arg)
{
    struct census c = {.tell = tell, .arg = arg};
    struct frame_stats before, stats;
    uint64_t tables = 0;

    mutex_lock(&vm_lock);
    space_for_each(check_space, &c);
    object_for_each_shm(check_shm, &c);
    space_for_each(count_tables, &tables);
    frame_get_stats(&before);
    frame_for_each(check_frame, &c);
    frame_get_stats(&stats);
    mutex_unlock(&vm_lock);

    if (c.left_out == 0 && c.entries != c.rmaps)
        violation(&c, NULL, "%lu entries, %lu reverse links", c.entries, c.rmaps);
    /*
     * Shared memory names anons too, so spaces may name fewer than there
     * are references, never more.
     */
    if (c.references > c.anon_refs)
        violation(&c, NULL, "%lu private pages, but only %lu references", c.references,
                  c.anon_refs);
    if (tables != c.by_owner[FRAME_PAGETABLE])
        violation(&c, NULL, "%lu page tables are in use, spaces count %lu",
                  c.by_owner[FRAME_PAGETABLE], tables);
    /* Frames of the kernel's own change hands without vm_lock, on another CPU, while we count. */
    for (unsigned i = FRAME_FREE + 1; i < FRAME_OWNERS; i++)
        if (before.by_owner[i] == stats.by_owner[i] && c.by_owner[i] != stats.by_owner[i])
            violation(&c, NULL, "%lu frames of owner %u, counted %lu", c.by_owner[i], i,
                      stats.by_owner[i]);
    return c.violations;
}

static void
log_violation(const struct frame *f UNUSED, const char *text, void *arg)
{
    unsigned *logged = arg;

    if ((*logged)++ < LOGGED)
        kprintf("vm_check: %s\n", text);
}

unsigned
vm_check(void)
{
    unsigned logged = 0;

    return vm_check_tell(log_violation, &logged);
}
