/*
 * mremap.c - grow, shrink and move a mapping.
 *
 * A move changes the keys of private pages and drops the old entries; pages
 * themselves stay where they are, and no reference count changes.  The new place's
 * page table is filled by faults.
 */
#include "mm/mmap.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/lib/assert.h"
#include "mm/commit.h"
#include "mm/layout.h"
#include "mm/object.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/tlb.h"

struct move {
    vaddr_t from, to;
    uint64_t old_len, new_len; /* page multiples */
};

/* Makes the table entries that the moved pages will need, so that moving them cannot fail. */
static int
reserve_keys(struct space *s, const struct move *m)
{
    uint64_t end = (m->from + m->old_len) >> PAGE_SHIFT;
    int64_t shift = (int64_t)(m->to - m->from) >> PAGE_SHIFT;

    for (uint64_t i = m->from >> PAGE_SHIFT; radix_next(&s->private, &i, end) != NULL; i++) {
        if (radix_reserve(&s->private, i + shift) == 0)
            continue;
        /* Nothing else would ever take the empty entries made so far away. */
        for (uint64_t j = m->from >> PAGE_SHIFT;
             radix_next(&s->private, &j, end) != NULL && j < i; j++)
            (void)radix_del(&s->private, j + shift);
        return -ENOMEM;
    }
    return 0;
}

/* Moves private pages to their new keys, drops the old entries. vm_lock held. */
static void
move_pages(struct space *s, const struct move *m)
{
    uint64_t end = (m->from + m->old_len) >> PAGE_SHIFT;
    int64_t shift = (int64_t)(m->to - m->from) >> PAGE_SHIFT;
    struct tlb_batch b;
    void *a;

    tlb_batch_init(&b);
    rmap_remove_range(s, m->from, m->from + m->old_len, &b);
    space_trim_tables(s, m->from, m->from + m->old_len, &b);
    tlb_flush(&b);
    for (uint64_t i = m->from >> PAGE_SHIFT; (a = radix_next(&s->private, &i, end)) != NULL;
         i++) {
        int err = radix_set(&s->private, i + shift, a);

        ASSERT(err == 0); /* reserve_keys */
    }
    /* Only now: a part of the table that becomes empty goes, and might have been reserved. */
    for (uint64_t i = m->from >> PAGE_SHIFT; radix_next(&s->private, &i, end) != NULL; i++)
        (void)radix_del(&s->private, i);
}

/* The region at m->from has @alone bytes from there on, and may grow; space->lock held. */
static int
judge_source(struct space *s, const struct move *m, uint64_t alone, struct region **out)
{
    struct region *r = space_find(s, m->from);

    if (r == NULL || alone > r->end - m->from)
        return -EFAULT;
    *out = r;
    if (m->new_len <= m->old_len)
        return 0;

    uint64_t more = (m->new_len - m->old_len) / PAGE_SIZE;
    int err = space_may_grow(s, more, r->locked);

    return err == 0 && region_is_data(r) ? space_may_hold_data(s, more) : err;
}

/* Grows in place if what follows is free. */
static bool
grow_in_place(struct space *s, const struct region *r, const struct move *m)
{
    vaddr_t end = m->from + m->old_len;
    struct region more = *r;

    if (end != r->end || m->from > USER_TOP - m->new_len ||
        space_place(s, m->new_len - m->old_len, end, m->from + m->new_len) != end)
        return false;
    more.start = end;
    more.end = m->from + m->new_len;
    more.offset = r->offset + (end - r->start) / PAGE_SIZE;
    if (more.object != NULL)
        object_get(more.object);
    if (space_insert(s, &more) == 0)
        return true;
    if (more.object != NULL)
        object_put(more.object); /* @r has one too */
    return false;
}

/*
 * Unmaps what is at the new place, and what of the old one does not fit there: any number of
 * regions, as on Linux.
 */
static int
make_room(struct space *s, struct move *m, struct list *dead)
{
    int err = space_remove(s, m->to, m->to + m->new_len, dead);

    if (err == 0 && m->old_len > m->new_len) {
        err = space_remove(s, m->from + m->new_len, m->from + m->old_len, dead);
        m->old_len = m->new_len;
    }
    return err;
}

/* Moves the mapping to m->to, where room was made; it does not shrink. space->lock held. */
static int
move_region(struct space *s, const struct move *m)
{
    ASSERT(m->old_len <= m->new_len);
    if (space_isolate(s, m->from, m->from + m->old_len) != 0)
        return -ENOMEM;

    struct region *r = space_find(s, m->from);
    bool charge = r->promise == PROMISE_MADE && m->new_len > m->old_len;
    uint64_t more = (m->new_len - m->old_len) / PAGE_SIZE;

    if (charge && commit_charge(more) != 0)
        return -ENOMEM;
    mutex_lock(&vm_lock);
    int err = r->shared ? 0 : reserve_keys(s, m);

    if (err == 0)
        move_pages(s, m);
    mutex_unlock(&vm_lock);
    if (err == 0)
        region_relocate(s, r, m->to, m->to + m->new_len);
    else if (charge)
        commit_release(more);
    return err;
}

static int
judge_mremap(const struct move *m, unsigned flags, uint64_t raw_new_len)
{
    if (flags & ~(unsigned)(MREMAP_MAYMOVE | MREMAP_FIXED))
        return -EINVAL;
    if ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))
        return -EINVAL;
    if (!page_aligned(m->from) || raw_new_len == 0 || m->old_len == 0)
        return -EINVAL;
    if (m->from >= USER_TOP || m->old_len > USER_TOP - m->from)
        return -EFAULT;
    if (!(flags & MREMAP_FIXED))
        return m->new_len > USER_TOP ? -ENOMEM : 0;
    if (!page_aligned(m->to) || m->new_len > USER_TOP || m->to > USER_TOP - m->new_len)
        return -EINVAL;
    if (m->from < m->to + m->new_len && m->to < m->from + m->old_len)
        return -EINVAL;
    return m->to < USER_BOTTOM ? -EPERM : 0;
}

/* The part that needs space->lock. Returns the address of the mapping or an error. */
static int64_t
mremap_locked(struct space *s, struct move *m, unsigned flags, struct list *dead)
{
    bool shrinks = !(flags & MREMAP_FIXED) && m->new_len <= m->old_len;
    struct region *r;
    /* What is cut off may be any number of regions, as on Linux. */
    uint64_t alone = shrinks ? PAGE_SIZE : MIN(m->old_len, m->new_len);
    int err = judge_source(s, m, alone, &r);

    if (err != 0)
        return err;
    if (flags & MREMAP_FIXED) {
        err = make_room(s, m, dead);
        if (err != 0)
            return err;
    } else if (m->new_len == m->old_len) {
        return m->from;
    } else if (shrinks) {
        err = space_remove(s, m->from + m->new_len, m->from + m->old_len, dead);
        return err == 0 ? (int64_t)m->from : err;
    } else if (grow_in_place(s, r, m)) {
        return m->from;
    } else if (!(flags & MREMAP_MAYMOVE)) {
        return -ENOMEM;
    } else {
        m->to = space_place(s, m->new_len, USER_BOTTOM, s->mmap_base);
        if (m->to == 0)
            return -ENOMEM;
    }
    err = move_region(s, m);
    return err != 0 ? err : (int64_t)m->to;
}

int64_t
vm_mremap(struct space *s, vaddr_t old, uint64_t old_len, uint64_t new_len, unsigned flags,
          vaddr_t new)
{
    struct list dead = LIST_INIT(dead);
    struct move m = {old, new, page_ceil(MIN(old_len, USER_TOP)),
                     page_ceil(MIN(new_len, 2 * USER_TOP))};
    int err = judge_mremap(&m, flags, new_len);

    if (err != 0)
        return err;
    mutex_lock(&s->lock);
    int64_t result = mremap_locked(s, &m, flags, &dead);
    mutex_unlock(&s->lock);
    region_free_list(&dead);
    if (result > 0)
        vm_populate_locked(s, result, result + m.new_len);
    return result;
}
