/*
 * mlock.c - pages that stay: mlock, munlock, mlockall.
 *
 * The region says that its pages are locked; every entry that maps one carries the mark
 * (PTE_LOCKED), and reclaim leaves a frame alone that has such an entry.  So locking is a matter
 * of marking what is mapped and faulting in the rest; and a page stays locked for as long as
 * one of the spaces that map it wants it.
 *
 * A child of fork has no locked region (mlock(2)).
 */
#include "mm/mmap.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/lib/assert.h"
#include "mm/fault.h"
#include "mm/layout.h"
#include "mm/rmap.h"
#include "mm/space.h"

/* What changing a range found. */
struct outcome {
    bool hole;      /* a part of it is not mapped */
    bool untouched; /* a part of it may not be touched at all */
};

/* Pages of [start, end) that are not locked yet: those count against the limit. */
static uint64_t
unlocked_pages(struct space *s, vaddr_t start, vaddr_t end)
{
    uint64_t pages = 0;

    for (struct region *r = space_find_from(s, start); r != NULL && r->start < end;
         r = region_next(s, r))
        if (!r->locked)
            pages += (MIN(r->end, end) - MAX(r->start, start)) / PAGE_SIZE;
    return pages;
}

/*
 * Changes [start, end): up to the first hole, as Linux does, or with @out NULL whatever is mapped
 * there.  space->lock held.  0 or -ENOMEM.
 */
static int
set_locked(struct space *s, vaddr_t start, vaddr_t end, bool locked, struct outcome *out)
{
    vaddr_t covered = start;

    if (space_isolate(s, start, end) != 0)
        return -ENOMEM;
    for (struct region *r = space_find_from(s, start); r != NULL && r->start < end;
         r = region_next(s, r)) {
        if (out != NULL && r->start > covered)
            break;
        if (out != NULL)
            out->untouched |= r->prot == PROT_NONE;
        covered = r->end;
        if (r->locked == locked)
            continue;
        r->locked = locked;
        s->locked_pages += (locked ? 1 : -1) * (int64_t)((r->end - r->start) / PAGE_SIZE);
        mutex_lock(&vm_lock);
        rmap_mark_locked(s, r->start, r->end, region_rights(r) & RMAP_LOCKED);
        mutex_unlock(&vm_lock);
    }
    if (out != NULL)
        out->hole = covered < end;
    space_merge_range(s, start, end);
    return 0;
}

static int
change(struct space *s, vaddr_t addr, uint64_t len, bool locked, struct outcome *out)
{
    vaddr_t start = page_floor(addr), end = page_ceil(addr + len);
    int err = 0;

    if (addr + len < addr || end < start)
        return -EINVAL;
    if (start == end)
        return 0;
    if (end > USER_TOP)
        return -ENOMEM;
    mutex_lock(&s->lock);
    if (locked && s->memlock_limit == 0)
        err = -EPERM;
    else if (locked &&
             s->locked_pages + unlocked_pages(s, start, end) > s->memlock_limit / PAGE_SIZE)
        err = -ENOMEM;
    if (err == 0)
        err = set_locked(s, start, end, locked, out);
    mutex_unlock(&s->lock);
    return err;
}

int
vm_mlock(struct space *s, vaddr_t addr, uint64_t len, unsigned flags)
{
    struct outcome out = {false, false};
    int err;

    if (flags & ~(unsigned)MLOCK_ONFAULT)
        return -EINVAL;
    err = change(s, addr, len, true, &out);
    if (err == 0 && (out.hole || out.untouched))
        err = -ENOMEM;
    if (err != 0 || (flags & MLOCK_ONFAULT))
        return err;
    err = vm_populate(s, page_floor(addr), page_ceil(addr + len));
    /* POSIX mlock: ENOMEM is for addresses, EAGAIN for memory that there is not. */
    return err == -EFAULT ? -ENOMEM : err == -ENOMEM ? -EAGAIN : err;
}

int
vm_munlock(struct space *s, vaddr_t addr, uint64_t len)
{
    struct outcome out = {false, false};
    int err = change(s, addr, len, false, &out);

    return err == 0 && out.hole ? -ENOMEM : err;
}

int
vm_mlockall(struct space *s, unsigned flags)
{
    int err = 0;

    if (flags == 0 || flags == MCL_ONFAULT ||
        (flags & ~(unsigned)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)))
        return -EINVAL;
    mutex_lock(&s->lock);
    if (s->memlock_limit == 0)
        err = -EPERM;
    else if ((flags & MCL_CURRENT) && s->pages > s->memlock_limit / PAGE_SIZE)
        err = -ENOMEM;
    if (err == 0) {
        s->lock_future = flags & MCL_FUTURE ? flags : 0;
        if (flags & MCL_CURRENT)
            err = set_locked(s, 0, USER_TOP, true, NULL);
    }
    mutex_unlock(&s->lock);
    if (err == 0 && (flags & MCL_CURRENT) && !(flags & MCL_ONFAULT))
        vm_populate_locked(s, 0, USER_TOP); /* what cannot come now comes by its fault */
    return err;
}

void
vm_munlockall(struct space *s)
{
    mutex_lock(&s->lock);
    s->lock_future = 0;
    if (set_locked(s, 0, USER_TOP, false, NULL) != 0)
        panic("unlocking everything splits nothing");
    mutex_unlock(&s->lock);
}

void
vm_populate_locked(struct space *s, vaddr_t start, vaddr_t end)
{
    while (start < end) {
        mutex_lock(&s->lock);
        struct region *r = space_find_from(s, start);

        while (r != NULL && r->start < end && (!r->locked || r->prot == PROT_NONE))
            r = region_next(s, r);

        vaddr_t from = r == NULL ? end : MAX(r->start, start);
        vaddr_t to = r == NULL ? end : MIN(r->end, end);
        mutex_unlock(&s->lock);

        if (from < to)
            (void)vm_populate(s, from, to);
        start = MAX(to, start + PAGE_SIZE);
    }
}
