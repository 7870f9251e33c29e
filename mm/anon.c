/*
 * anon.c - one page of memory that has no file behind it.
 *
 * An anon is the page itself; a frame and a swap slot are only places where its
 * bytes can be.  It has a frame, or a slot, or both, never neither:
 *
 *     new --write--> frame --pager--> frame+slot --pager--> slot
 *                      ^                                      |
 *                      +--------------- fault ----------------+
 *
 * Two processes that share a page after fork() share the anon, so there is one
 * slot and one count however many of them there are.
 *
 * Locks: everything here needs vm_lock.  Called by demand.c, cow.c, clone.c, mmap.c, object.c.
 */
#include "mm/anon.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/rmap.h"
#include "mm/tlb.h"

static uint64_t anons;

struct anon *
anon_alloc(const struct frame *source)
{
    ASSERT(mutex_held(&vm_lock));

    struct anon *a = kmalloc(sizeof(*a));
    struct frame *f =
        a == NULL ? NULL : frame_alloc(FRAME_ANON, source == frame_zero ? FRAME_ZEROED : 0);

    if (f == NULL) {
        kfree(a);
        return NULL;
    }
    if (source != frame_zero)
        memcpy(frame_data(f), frame_data(source), PAGE_SIZE);
    f->anon = a;
    f->dirty = true;
    *a = (struct anon){.refs = 1, .frame = f};
    anons++;
    return a;
}

void
anon_get(struct anon *a)
{
    ASSERT(a->refs > 0);
    a->refs++;
}

void
anon_put(struct anon *a, struct tlb_batch *b)
{
    ASSERT(mutex_held(&vm_lock) && a->refs > 0);
    if (--a->refs > 0)
        return;
    if (a->frame != NULL) {
        ASSERT(a->frame->maps == NULL);
        a->frame->anon = NULL;
        if (a->frame->pins == 0)
            tlb_batch_free(b, a->frame);
        /* else the last unpin frees it: object_put_page */
    }
    anons--;
    kfree(a);
}

uint64_t
anon_count(void)
{
    return anons;
}
