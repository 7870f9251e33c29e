/*
 * demand.c - demand paging: nothing is loaded before it is touched.
 *
 * The page of a private region is the space's anon, else the page of the
 * region's object, else zeros.  The page of a shared region is always the object's.
 * Zeros that are only read cost no frame: the frame of zeros is mapped read-only.
 *
 *                         read                              write
 *     anon exists         map; writable if refs == 1        cow_write_anon
 *     object's page       map (private: read-only)          private: cow_write_source
 *                                                           shared: map writable, mark dirty
 *     nothing             map the frame of zeros            cow_write_source of the zeros
 *
 * Called by fault.c.  Locks: space->lock and vm_lock; what would sleep is
 * answered by a FAULT_WAIT_*.
 */
#include "mm/demand.h"

#include "kernel/abi/mman.h"
#include "kernel/lib/assert.h"
#include "mm/anon.h"
#include "mm/cow.h"
#include "mm/frame.h"
#include "mm/object.h"
#include "mm/rmap.h"
#include "mm/space.h"

#define AROUND_PAGES 16 /* cached pages of a file that one read fault maps */

/* Maps the page with the region's rights; that to write only if @allow is PROT_WRITE. */
static enum fault_result
map(struct fault *f, struct frame *frame, unsigned allow)
{
    unsigned rights = region_rights(f->region) & (allow | ~(unsigned)PROT_WRITE);

    if (rmap_enter(f->space, f->va, frame, rights, &f->tlb) != 0)
        return FAULT_WAIT_MEMORY;
    f->frame = frame;
    if (frame == frame_zero)
        f->kinds |= 1U << FAULT_ZERO;
    return FAULT_DONE;
}

static enum fault_result
map_object(struct fault *f, struct frame *frame, unsigned allow)
{
    enum fault_result r = map(f, frame, allow);

    if (r == FAULT_DONE && f->kinds == 0)
        f->kinds = 1U << FAULT_FILE;
    return r;
}

static enum fault_result
wait_for(struct fault *f, enum fault_result what, struct object *o, pgidx_t index)
{
    object_get(o);
    f->object = o;
    f->index = index;
    return what;
}

/*
 * How many pages to read at once. A fault behind the pages that were read last says that somebody
 * goes through the region in order and took them all: twice as many then, else half.
 */
static unsigned
swap_window(struct region *r, vaddr_t va)
{
    r->swap_window =
        va == r->swap_next ? MIN(2 * r->swap_window, SWAP_CLUSTER) : MAX(r->swap_window / 2, 1);
    return r->swap_window;
}

/*
 * The page is in swap: begins to read it, and those of the next pages whose slots follow its own.
 * @table, @index: where @a is named.
 */
static enum fault_result
read_from_swap(struct fault *f, struct anon *a, const struct radix *table, uint64_t index)
{
    f->in.n = 0;
    if (!swap_in_add(&f->in, a))
        return FAULT_WAIT_MEMORY;

    unsigned window = f->read_alone ? 1 : swap_window(f->region, f->va);

    while (f->in.n < window) {
        struct anon *next = radix_get(table, index + f->in.n);

        if (next == NULL || next->frame != NULL || next->slot == 0 ||
            !swap_in_add(&f->in, next))
            break;
    }
    f->region->swap_next = f->va + f->in.n * PAGE_SIZE;
    return FAULT_WAIT_SWAP;
}

/* A private page that has bytes of its own. */
static enum fault_result
anon_page(struct fault *f, struct anon *a)
{
    if (a->frame == NULL)
        return read_from_swap(f, a, &f->space->private, f->va >> PAGE_SHIFT);
    if (a->frame->busy)
        return FAULT_WAIT_BUSY;
    if (f->access == PROT_WRITE)
        return cow_write_anon(f, a);
    return map(f, a->frame, a->refs == 1 ? PROT_WRITE : 0);
}

/* True if the space may have pages of its own in place of the object's. */
static bool
has_private(const struct fault *f, vaddr_t start, vaddr_t end)
{
    uint64_t index = start >> PAGE_SHIFT;

    return !f->region->shared &&
           radix_next(&f->space->private, &index, end >> PAGE_SHIFT) != NULL;
}

/*
 * The window of AROUND_PAGES aligned pages about the fault, cut to the region: pages of the
 * file that are in memory anyway are mapped along, each saves a fault.  All their entries lie in
 * the table that has the entry of the fault.
 */
static void
map_around(struct fault *f)
{
    // LAB fault/6 begin -- (void)f, (void)has_private;
    struct region *r = f->region;
    uint64_t window = AROUND_PAGES * PAGE_SIZE;
    vaddr_t start = MAX(ROUND_DOWN(f->va, window), r->start);
    vaddr_t end = MIN(ROUND_DOWN(f->va, window) + window, r->end);
    pgidx_t first = r->offset + (start - r->start) / PAGE_SIZE;
    unsigned prot = region_rights(r) & ~(unsigned)PROT_WRITE;
    bool look = has_private(f, start, end);
    pte_t *entries = pagetable_find(&f->space->pt, start);
    uint64_t index = first;
    void **pages;
    unsigned n;

    for (; (pages = radix_run(&r->object->pages, &index, first + (end - start) / PAGE_SIZE,
                              &n)) != NULL;
         index += n)
        for (unsigned k = 0; k < n; k++) {
            pgidx_t at = index + k - first;
            vaddr_t va = start + at * PAGE_SIZE;
            struct frame *frame = pages[k];

            if (frame == NULL || frame->busy || pte_present(entries[at]) ||
                object_beyond_end(r->object, index + k))
                continue;
            if (look && radix_get(&f->space->private, va >> PAGE_SHIFT) != NULL)
                continue;
            if (rmap_enter_at(f->space, va, &entries[at], frame, prot, &f->tlb) != 0)
                return;
        }
    // LAB end
}

/*
 * A store through a shared mapping: the page needs a place on the disk
 * first, and is dirty from now on.
 */
static enum fault_result
write_shared(struct fault *f, struct frame *frame, pgidx_t index)
{
    // LAB mmap/6 begin -- @memory_only
    struct object *o = f->region->object;

    if (o->kind == OBJECT_FILE && !frame->dirty && !f->prepared)
        return wait_for(f, FAULT_WAIT_PREPARE, o, index);

    enum fault_result r = map_object(f, frame, PROT_WRITE);

    if (r == FAULT_DONE && o->kind == OBJECT_FILE)
        object_mark_dirty(o, frame);
    return r;
    // LAB end
}

/* A page whose bytes are the object's. */
static enum fault_result
object_page(struct fault *f)
{
    struct region *r = f->region;
    pgidx_t index = r->offset + (f->va - r->start) / PAGE_SIZE;
    struct frame *frame;

    // LAB fault/5 begin
    if (object_beyond_end(r->object, index))
        return FAULT_BUSERR;
    // LAB end

    /* A file in memory may have a limit. */
    if (r->object->kind == OBJECT_SHM && r->object->ops->prepare_write != NULL &&
        !f->prepared && radix_get(&r->object->pages, index) == NULL)
        return wait_for(f, FAULT_WAIT_PREPARE, r->object, index);

    enum fault_result found = object_find(r->object, index, &frame);

    if (found == FAULT_WAIT_READ)
        return wait_for(f, FAULT_WAIT_READ, r->object, index);
    if (found == FAULT_WAIT_SWAP)
        return read_from_swap(f, object_anon(r->object, index), &r->object->pages, index);
    if (found != FAULT_DONE)
        return found;
    frame->referenced = true;
    // LAB fault/5 begin -- @own_copy
    if (f->access == PROT_WRITE)
        return r->shared ? write_shared(f, frame, index) : cow_write_source(f, frame);

    /* Read-only even when shared and writable: the first store has to come by write_shared. */
    bool may_write = r->shared && (r->object->kind == OBJECT_SHM || frame->dirty);

    found = map_object(f, frame, may_write ? PROT_WRITE : 0);
    if (found == FAULT_DONE && r->object->kind == OBJECT_FILE)
        map_around(f);
    return found;
    // LAB end
}

enum fault_result
demand_page(struct fault *f)
{
    struct region *r = f->region;

    ASSERT(mutex_held(&f->space->lock) && mutex_held(&vm_lock));
    if (!r->shared) {
        struct anon *a = radix_get(&f->space->private, f->va >> PAGE_SHIFT);

        if (a != NULL)
            return anon_page(f, a);
        if (r->object == NULL) {
            // LAB fault/4 begin -- return cow_write_source(f, frame_zero);
            if (f->access == PROT_WRITE)
                return cow_write_source(f, frame_zero);
            return map(f, frame_zero, 0);
            // LAB end
        }
    }
    return object_page(f);
}
