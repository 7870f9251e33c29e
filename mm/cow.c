/*
 * cow.c - copy-on-write: sharing ends at the first store.
 *
 * fork() shares every private page and takes the write right from both sides.
 * A store then faults, and:
 *
 *     refs > 1    the writer gets a copy, the others keep the page;
 *     refs == 1   everybody else is gone: the page is simply made writable again.
 *
 * A private page that nobody wrote yet is the file's, or zeros; its first store copies likewise.
 *
 * Locks: space->lock and vm_lock.  Called by demand.c.
 */
#include "mm/cow.h"

#include "kernel/abi/mman.h"
#include "kernel/lib/assert.h"
#include "kernel/trace/trace.h"
#include "mm/anon.h"
#include "mm/frame.h"
#include "mm/rmap.h"
#include "mm/space.h"

/*
 * Puts a copy of @source in the place of the private page, of which @old (NULL: none) is the
 * present anon. Everything that can fail comes first, so there is only the new anon to undo.
 */
static enum fault_result
replace_page(struct fault *f, const struct frame *source, struct anon *old)
{
    struct space *s = f->space;
    uint64_t i = f->va >> PAGE_SHIFT;
    struct anon *copy = anon_alloc(source);

    if (copy == NULL)
        return FAULT_WAIT_MEMORY;
    if (radix_set(&s->private, i, copy) != 0)
        goto no_memory;
    if (rmap_enter(s, f->va, copy->frame, region_rights(f->region), &f->tlb) != 0)
        goto no_mapping;
    if (old == NULL) {
        s->nprivate++;
    } else {
        // LAB cow/3 begin
        anon_put(old, &f->tlb);
        // LAB end
    }
    f->frame = copy->frame;
    f->kinds |= 1U << (source == frame_zero ? FAULT_NEW : FAULT_COPY);
    if (source != frame_zero)
        trace_cow_copy(f->va, frame_number(source), frame_number(copy->frame));
    return FAULT_DONE;

no_mapping:
    if (old == NULL)
        radix_del(&s->private, i);
    else if (radix_set(&s->private, i, old) != 0)
        panic("radix_set failed where an entry is");
no_memory:
    anon_put(copy, &f->tlb);
    return FAULT_WAIT_MEMORY;
}

enum fault_result
cow_write_anon(struct fault *f, struct anon *a)
{
    ASSERT(a->frame != NULL && !a->frame->busy);
    // LAB cow/3 begin -- @enter
    if (a->refs > 1)
        return replace_page(f, a->frame, a);

    if (rmap_enter(f->space, f->va, a->frame, region_rights(f->region), &f->tlb) != 0)
        return FAULT_WAIT_MEMORY;
    f->frame = a->frame;
    f->kinds |= 1U << FAULT_REUSE;
    trace_cow_reuse(f->va, frame_number(a->frame));
    return FAULT_DONE;
    // LAB end
}

enum fault_result
cow_write_source(struct fault *f, const struct frame *source)
{
    return replace_page(f, source, NULL);
}
