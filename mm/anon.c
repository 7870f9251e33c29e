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
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/swap.h"
#include "mm/tlb.h"

static uint64_t anons;
static uint64_t anons_out; /* those that have only a slot */

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
    f->dirty = true;
    *a = (struct anon){.refs = 1};
    anon_enter_frame(a, f);
    anons++;
    return a;
}

void
anon_enter_frame(struct anon *a, struct frame *f)
{
    ASSERT(mutex_held(&vm_lock) && a->frame == NULL);
    f->anon = a;
    a->frame = f;
    anons_out -= a->slot != 0;
    reclaim_add(f);
}

void
anon_leave_frame(struct anon *a, struct tlb_batch *b)
{
    struct frame *f = a->frame;

    ASSERT(mutex_held(&vm_lock) && f->maps == NULL && !f->busy);
    f->anon = NULL;
    a->frame = NULL;
    anons_out += a->slot != 0;
    reclaim_remove(f);
    if (f->pins == 0)
        tlb_batch_free(b, f);
    /* else the last unpin frees it: object_put_page */
}

void
anon_settle(struct anon *a, struct tlb_batch *b)
{
    ASSERT(mutex_held(&vm_lock));
    if (a->refs > 0 || (a->frame != NULL && a->frame->busy))
        return;
    if (a->frame != NULL)
        anon_leave_frame(a, b);
    if (a->slot != 0) {
        // LAB swap/5 begin
        anons_out--;
        swap_free(a->slot);
        // LAB end
    }
    anons--;
    kfree(a);
}

#ifdef DEBUG
static uint64_t
sum_of(const struct frame *f)
{
    const uint64_t *words = frame_data(f);
    uint64_t sum = 0;

    for (unsigned i = 0; i < PAGE_SIZE / sizeof(*words); i++)
        sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15; /* odd: no change of one word is lost */
    return sum;
}

void
anon_note_slot(struct anon *a)
{
    if (a->frame->dirty) /* else it waited in vain for the slot's bytes */
        a->sum = sum_of(a->frame);
}

void
anon_expect_slot(const struct anon *a)
{
    if (sum_of(a->frame) != a->sum)
        panic("swap: the clean frame at %#lx differs from its slot: a dirty bit was lost",
              frame_addr(a->frame));
}
#endif

uint64_t
anon_count(void)
{
    return anons;
}

uint64_t
anon_count_out(void)
{
    return anons_out;
}
