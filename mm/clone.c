/*
 * clone.c - fork's half of copy-on-write.
 *
 * Sharing a page means two things: one more reference to its anon, and no
 * write right in any entry that points to its frame (invariant 4).  The second part
 * is done for the whole parent with one flush at the end, before the child runs.
 *
 * The child's page table stays empty: tables are a cache, faults fill it.
 */
#include "mm/clone.h"

#include "kernel/abi/errno.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/list.h"
#include "kernel/lib/string.h"
#include "mm/anon.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/object.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/tlb.h"

static void
copy_layout(struct space *child, const struct space *parent)
{
    child->mmap_base = parent->mmap_base;
    child->brk_start = parent->brk_start;
    child->brk = parent->brk;
    child->stack_top = parent->stack_top;
    child->arg_start = parent->arg_start;
    child->arg_end = parent->arg_end;
    child->env_start = parent->env_start;
    child->env_end = parent->env_end;
    child->code_start = parent->code_start;
    child->code_end = parent->code_end;
    child->stack_limit = parent->stack_limit;
    child->data_limit = parent->data_limit;
    child->as_limit = parent->as_limit;
    child->memlock_limit = parent->memlock_limit;
    child->dumpable = parent->dumpable;
    child->core_filter = parent->core_filter;
    memcpy(child->auxv, parent->auxv, sizeof(child->auxv));
}

static int
copy_region(struct space *child, const struct region *r)
{
    struct region copy = *r;

    copy.locked = false;
    if (r->object != NULL)
        object_get(r->object);

    int err = space_insert(child, &copy);

    if (err != 0 && r->object != NULL)
        object_put(r->object); /* the parent's region has one too: never the last */
    return err;
}

/*
 * Lets go of vm_lock until there is memory again. space->lock stays: nobody else changes the
 * regions or the table of private pages meanwhile, and the pager needs neither.
 */
static int
wait_for_memory(struct space *parent, struct tlb_batch *b)
{
    tlb_flush(b);
    mutex_unlock(&vm_lock);

    int err = reclaim_ask(parent);

    mutex_lock(&vm_lock);
    return err;
}

/* The private pages of one region: one more reference each. vm_lock held. */
static int
share_pages(struct space *child, struct space *parent, const struct region *r,
            struct tlb_batch *b)
{
    void **from, **to;
    unsigned n;

    for (uint64_t i = r->start >> PAGE_SHIFT;
         (from = radix_run(&parent->private, &i, r->end >> PAGE_SHIFT, &n)) != NULL; i += n) {
        while ((to = radix_make(&child->private, i)) == NULL)
            if (wait_for_memory(parent, b) != 0)
                return -ENOMEM;
        for (unsigned k = 0; k < n; k++) {
            if (from[k] == NULL)
                continue;
            // LAB cow/1 begin -- @copy
            to[k] = from[k];
            anon_get(to[k]);
            // LAB end
            child->nprivate++;
        }
    }
    return 0;
}

/* Takes the write right from the parent's entries of one private region. */
static void
write_protect(struct space *parent, const struct region *r, struct tlb_batch *b)
{
    // LAB cow/2 begin -- (void)parent, (void)r, (void)b;
    vaddr_t va;
    pte_t *e;

    pagetable_for_each (e, va, &parent->pt, r->start, r->end)
        rmap_write_protect_pte(parent, va, e, b);
    // LAB end
}

static int
clone_regions(struct space *child, struct space *parent)
{
    struct region *r;
    struct tlb_batch b;
    int err = 0;

    tlb_batch_init(&b);
    mutex_lock(&vm_lock);
    region_for_each (r, parent) {
        if (r->dont_fork)
            continue;
        err = copy_region(child, r);
        if (err == 0 && !r->shared && !r->wipe_on_fork) {
            write_protect(parent, r, &b);
            err = share_pages(child, parent, r, &b);
        }
        if (err != 0)
            break;
    }
    // LAB cow/2 begin
    tlb_flush(&b);
    // LAB end
    mutex_unlock(&vm_lock);
    return err;
}

struct space *
space_clone(struct space *parent)
{
    struct space *child = space_create();

    if (child == NULL)
        return NULL;
    mutex_lock(&parent->lock);
    copy_layout(child, parent);

    int err = clone_regions(child, parent);

    mutex_unlock(&parent->lock);
    if (err != 0) {
        space_put(child);
        return NULL;
    }
    return child;
}
