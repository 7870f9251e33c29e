/*
 * mmap.c - mmap, munmap, mprotect, brk, msync, madvise, mincore.
 *
 * These change what addresses mean, that is regions; pages follow by faults.
 * Each call judges everything first and acts then, so a refusal changes nothing
 * (save that a region may have been split, which nobody can see).
 *
 * Freed regions are collected in a list and let go of after the locks, because
 * the last reference to a file may have to write to the disk.
 *
 * Called by sys/memory.c and exec.  mremap is in mremap.c.
 */
#include "mm/mmap.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/lib/assert.h"
#include "kernel/sched/sched.h"
#include "kernel/trace/trace.h"
#include "mm/anon.h"
#include "mm/commit.h"
#include "mm/fault.h"
#include "mm/frame.h"
#include "mm/layout.h"
#include "mm/object.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/tlb.h"

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

/*
 * [addr, addr + len) is page-aligned, not empty, does not wrap and lies in the user
 * half; *end receives its end.
 */
static int
judge_range(vaddr_t addr, uint64_t len, vaddr_t *end)
{
    if (!page_aligned(addr))
        return -EINVAL;
    if (len == 0 || len > USER_TOP || addr > USER_TOP - page_ceil(len))
        return -EINVAL;
    *end = addr + page_ceil(len);
    return 0;
}

/* True if [start, end) is covered by regions without a hole; space->lock held. */
static bool
all_mapped(struct space *s, vaddr_t start, vaddr_t end)
{
    for (struct region *r = space_find(s, start); r != NULL; r = region_next(s, r)) {
        if (end <= r->end)
            return true;
        if (region_next(s, r) == NULL || region_next(s, r)->start != r->end)
            return false;
    }
    return false;
}

/* ---- mmap ---- */

/* Where the mapping goes; 0: nowhere. */
static vaddr_t
choose_address(struct space *s, const struct mmap_request *q, uint64_t len)
{
    // LAB mmap/1 begin -- @no_wishes
    vaddr_t wish = page_floor(q->addr);
    vaddr_t end = q->flags & MAP_32BIT ? 2 * GIB : USER_TOP;
    vaddr_t va;

    if (wish >= USER_BOTTOM && wish < end && end - wish >= len &&
        space_place(s, len, wish, wish + len) == wish)
        return wish;
    va = space_place(s, len, USER_BOTTOM, MIN(end, s->mmap_base));
    /* Nothing free below the base: then anywhere. */
    return va != 0 ? va : space_place(s, len, USER_BOTTOM, end);
    // LAB end
}

static bool
will_be_locked(const struct space *s, unsigned flags)
{
    return (flags & MAP_LOCKED) || s->lock_future != 0;
}

static int
judge_mmap(const struct mmap_request *q, uint64_t len)
{
    unsigned type = q->flags & MAP_TYPE;

    if (type != MAP_PRIVATE && type != MAP_SHARED &&
        (type != MAP_SHARED_VALIDATE || q->object == NULL))
        return -EINVAL;
    if (type == MAP_SHARED_VALIDATE && (q->flags & ~MAP_LEGACY))
        return -EOPNOTSUPP;
    if (q->len == 0 || !page_aligned(q->offset))
        return -EINVAL;
    if (q->len > USER_TOP)
        return -ENOMEM;
    if (q->object != NULL &&
        (q->offset + len < q->offset || (q->offset + len) >> PAGE_SHIFT > UINT32_MAX))
        return -EOVERFLOW;
    if ((q->flags & MAP_HUGETLB) ||
        ((q->object != NULL || type != MAP_PRIVATE) && (q->flags & MAP_GROWSDOWN)))
        return -EINVAL;
    if (!(q->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
        return 0;
    if (!page_aligned(q->addr))
        return -EINVAL;
    if (q->addr > USER_TOP - len)
        return -ENOMEM;
    return q->addr < USER_BOTTOM ? -EPERM : 0;
}

/*
 * May @p be mapped, by RLIMIT_AS, RLIMIT_DATA and RLIMIT_MEMLOCK?  What it replaces is counted
 * already, but for locking nothing is taken off, as on Linux.  space->lock held.
 */
static int
judge_limits(const struct space *s, const struct region *p)
{
    uint64_t pages = (p->end - p->start) / PAGE_SIZE, more = pages;

    for (const struct region *r = space_find_from(s, p->start); r != NULL && r->start < p->end;
         r = region_next(s, r))
        more -= (MIN(r->end, p->end) - MAX(r->start, p->start)) / PAGE_SIZE;

    int err = p->locked ? space_may_lock(s, pages) : 0;

    if (err == 0)
        err = space_may_grow(s, more, false);
    return err == 0 && region_is_data(p) ? space_may_hold_data(s, more) : err;
}

/*
 * Makes room for, and inserts, one region. space->lock held. @o: reference that the
 * region takes over on success.
 */
static int
place_region(struct space *s, const struct mmap_request *q, vaddr_t addr, uint64_t len,
             struct object *o, struct list *dead)
{
    struct region pattern = {
        .start = addr,
        .end = addr + len,
        .prot = q->prot & PROT_ALL,
        .max_prot = q->max_prot,
        .shared = (q->flags & MAP_TYPE) != MAP_PRIVATE,
        .grows_down = (q->flags & MAP_GROWSDOWN) != 0,
        .locked = will_be_locked(s, q->flags),
        .object = o,
        .offset = q->object != NULL ? q->offset / PAGE_SIZE : 0,
    };

    if (!pattern.shared)
        pattern.promise = commit_promise(q->prot, q->flags & MAP_NORESERVE);

    int err = judge_limits(s, &pattern);

    if (err == 0)
        err = space_remove(s, addr, addr + len, dead);
    return err == 0 ? space_insert(s, &pattern) : err;
}

int64_t
vm_mmap(struct space *s, const struct mmap_request *q)
{
    uint64_t len = q->len > USER_TOP ? 0 : page_ceil(q->len);
    struct list dead = LIST_INIT(dead);
    int err = judge_mmap(q, len);

    if (err != 0)
        return err;

    struct object *o = q->object;
    if (o != NULL)
        object_get(o);
    else if ((q->flags & MAP_TYPE) != MAP_PRIVATE &&
             (o = object_alloc_shm(len, !(q->flags & MAP_NORESERVE))) == NULL)
        return -ENOMEM;

    mutex_lock(&s->lock);
    vaddr_t addr = q->addr;
    struct region *there = space_find_from(s, addr);

    if (!(q->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
        addr = choose_address(s, q, len);
    else if ((q->flags & MAP_FIXED_NOREPLACE) && there != NULL && there->start < addr + len)
        err = -EEXIST;
    if (addr == 0)
        err = -ENOMEM;
    if (err == 0)
        err = place_region(s, q, addr, len, o, &dead);
    mutex_unlock(&s->lock);

    region_free_list(&dead);
    if (err != 0) {
        if (o != NULL)
            object_put(o);
        return err;
    }
    /* Linux does not report either of them. */
    if ((q->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE)
        (void)vm_populate(s, addr, addr + len);
    else if (!(s->lock_future & MCL_ONFAULT))
        vm_populate_locked(s, addr, addr + len);
    return addr;
}

int
vm_munmap(struct space *s, vaddr_t addr, uint64_t len)
{
    struct list dead = LIST_INIT(dead);
    vaddr_t end;
    int err = judge_range(addr, len, &end);

    if (err != 0)
        return err;
    mutex_lock(&s->lock);
    err = space_remove(s, addr, end, &dead);
    mutex_unlock(&s->lock);
    region_free_list(&dead);
    return err;
}

/* ---- mprotect ---- */

/* Entries get fewer rights at once; more rights come by faults. */
static void
reduce_entries(struct space *s, const struct region *r, struct tlb_batch *b)
{
    // LAB mmap/5 begin -- (void)s, (void)r, (void)b;
    vaddr_t va;
    pte_t *e;

    pagetable_for_each (e, va, &s->pt, r->start, r->end) {
        unsigned keep = region_rights(r) & (pte_writable(*e) ? ~0U : ~(unsigned)PROT_WRITE);

        if (r->prot == PROT_NONE)
            rmap_remove(s, va, e, b);
        else
            rmap_set_rights(s, va, e, keep, b);
    }
    // LAB end
}

/*
 * What becomes writable is data from now on; and for the first time it may need pages of its own:
 * promises them.
 */
static int
promise_range(struct space *s, vaddr_t start, vaddr_t end)
{
    uint64_t promises = 0, data = 0;

    for (struct region *r = space_find(s, start); r != NULL && r->start < end;
         r = region_next(s, r)) {
        uint64_t pages = (r->end - r->start) / PAGE_SIZE;

        promises += !r->shared && r->promise == PROMISE_NONE ? pages : 0;
        data += !r->shared && !r->grows_down && !region_is_data(r) ? pages : 0;
    }
    if ((data > 0 && space_may_hold_data(s, data) != 0) || commit_charge(promises) != 0)
        return -ENOMEM;
    for (struct region *r = space_find(s, start); r != NULL && r->start < end;
         r = region_next(s, r))
        if (!r->shared && r->promise == PROMISE_NONE)
            r->promise = PROMISE_MADE;
    return 0;
}

static int
judge_mprotect(struct space *s, vaddr_t start, vaddr_t end, unsigned prot)
{
    // LAB mmap/5 begin -- return prot & PROT_WRITE ? promise_range(s, start, end) : 0;
    if (!all_mapped(s, start, end))
        return -ENOMEM;
    for (struct region *r = space_find(s, start); r != NULL && r->start < end;
         r = region_next(s, r))
        if (prot & ~r->max_prot)
            return -EACCES;

    int err = space_isolate(s, start, end);

    return err == 0 && (prot & PROT_WRITE) ? promise_range(s, start, end) : err;
    // LAB end
}

int
vm_mprotect(struct space *s, vaddr_t addr, uint64_t len, unsigned prot)
{
    bool grows_down = prot & PROT_GROWSDOWN;
    struct tlb_batch b;
    vaddr_t end;

    prot &= ~PROT_GROWSDOWN;
    if (!page_aligned(addr) || (prot & ~(unsigned)PROT_ALL))
        return -EINVAL;
    if (len == 0)
        return 0;
    if (judge_range(addr, len, &end) != 0)
        return -ENOMEM;

    tlb_batch_init(&b);
    mutex_lock(&s->lock);
    struct region *first = space_find(s, addr);

    if (grows_down && first != NULL && first->grows_down)
        addr = first->start;

    int err = grows_down && (first == NULL || !first->grows_down)
                  ? -EINVAL
                  : judge_mprotect(s, addr, end, prot);

    if (err == 0) {
        // LAB mmap/5 begin -- @more_rights
        mutex_lock(&vm_lock);
        for (struct region *r = space_find(s, addr); r != NULL && r->start < end;
             r = region_next(s, r)) {
            r->prot = prot;
            reduce_entries(s, r, &b);
        }
        tlb_flush(&b);
        mutex_unlock(&vm_lock);
        // LAB end
        trace_protect(prot, addr, (end - addr) / PAGE_SIZE);
        space_merge_range(s, addr, end);
    }
    mutex_unlock(&s->lock);
    if (err == 0)
        vm_populate_locked(s, addr, end);
    return err;
}

/* ---- brk ---- */

vaddr_t
vm_brk(struct space *s, vaddr_t brk)
{
    struct list dead = LIST_INIT(dead);

    mutex_lock(&s->lock);
    vaddr_t old_end = page_ceil(s->brk);
    vaddr_t result = s->brk;

    if (brk < s->brk_start || brk > USER_TOP - PAGE_SIZE || brk - s->brk_start > s->data_limit)
        goto out;

    vaddr_t new_end = page_ceil(brk);
    if (new_end < old_end) {
        if (space_remove(s, new_end, old_end, &dead) != 0)
            goto out;
    } else if (new_end > old_end) {
        struct region heap = {.start = old_end,
                              .end = new_end,
                              .prot = PROT_READ | PROT_WRITE,
                              .max_prot = PROT_ALL,
                              .heap = true,
                              .locked = will_be_locked(s, 0),
                              .promise = PROMISE_MADE};

        if (space_may_grow(s, (new_end - old_end) / PAGE_SIZE, heap.locked) != 0 ||
            space_may_hold_data(s, (new_end - old_end) / PAGE_SIZE) != 0 ||
            space_place(s, new_end - old_end, old_end, new_end) != old_end ||
            space_insert(s, &heap) != 0)
            goto out;
    }
    result = s->brk = brk;
out:
    mutex_unlock(&s->lock);
    region_free_list(&dead);
    if (s->lock_future && !(s->lock_future & MCL_ONFAULT))
        vm_populate_locked(s, old_end, page_ceil(result));
    return result;
}

/* ---- msync, madvise, mincore ---- */

int
vm_msync(struct space *s, vaddr_t addr, uint64_t len, unsigned flags)
{
    vaddr_t end;

    if (!page_aligned(addr) || (flags & ~(unsigned)(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
        ((flags & MS_ASYNC) && (flags & MS_SYNC)))
        return -EINVAL;
    if (len == 0)
        return 0;
    if (judge_range(addr, len, &end) != 0)
        return -ENOMEM;
    // LAB mmap/7 begin -- @everything
    int hole = 0;

    while (addr < end) {
        mutex_lock(&s->lock);
        struct region *r = space_find_from(s, addr);

        if (r == NULL || r->start >= end) {
            mutex_unlock(&s->lock);
            return -ENOMEM;
        }
        if ((flags & MS_INVALIDATE) && r->locked) {
            mutex_unlock(&s->lock);
            return -EBUSY;
        }
        hole = r->start > addr ? -ENOMEM : hole;

        vaddr_t from = MAX(r->start, addr);
        struct object *o = r->shared && r->object->kind == OBJECT_FILE ? r->object : NULL;
        pgidx_t first = r->offset + (from - r->start) / PAGE_SIZE;

        addr = MIN(r->end, end);
        if (o != NULL)
            object_get(o);
        mutex_unlock(&s->lock);
        if (o == NULL)
            continue;

        int err =
            flags & MS_SYNC ? object_sync(o, first, first + (addr - from) / PAGE_SIZE) : 0;

        object_put(o);
        if (err != 0)
            return err;
    }
    return hole;
    // LAB end
}

/*
 * MADV_DONTNEED and MADV_FREE: the pages' contents are given up. SIMPLE: MADV_FREE gives
 * them up at once, which it may.
 */
static void
give_up(struct space *s, vaddr_t start, vaddr_t end)
{
    struct tlb_batch b;

    tlb_batch_init(&b);
    mutex_lock(&vm_lock);
    for (struct region *r = space_find_from(s, start); r != NULL && r->start < end;
         r = region_next(s, r)) {
        vaddr_t from = MAX(r->start, start), to = MIN(r->end, end);

        if (r->shared)
            rmap_remove_range(s, from, to, &b);
        else
            space_drop_private(s, from, to, &b);
    }
    tlb_flush(&b);
    mutex_unlock(&vm_lock);
}

/* Locked pages are not given up; and MADV_FREE is for private anonymous memory alone. */
static int
judge_giving_up(struct space *s, vaddr_t start, vaddr_t end, int advice)
{
    for (struct region *r = space_find_from(s, start); r != NULL && r->start < end;
         r = region_next(s, r))
        if (r->locked || (advice == MADV_FREE && (r->object != NULL || r->shared)))
            return -EINVAL;
    return 0;
}

/* A mark on one region. 0, or -EINVAL: only private memory without a file can be wiped. */
static int
mark_region(struct region *r, int advice)
{
    switch (advice) {
    case MADV_DONTFORK:
    case MADV_DOFORK:
        r->dont_fork = advice == MADV_DONTFORK;
        return 0;
    case MADV_DONTDUMP:
    case MADV_DODUMP:
        r->dont_dump = advice == MADV_DONTDUMP;
        return 0;
    default:
        if (advice == MADV_WIPEONFORK && (r->shared || r->object != NULL))
            return -EINVAL;
        r->wipe_on_fork = advice == MADV_WIPEONFORK;
        return 0;
    }
}

/* MADV_DONTFORK, MADV_DONTDUMP, MADV_WIPEONFORK and their opposites. */
static int
mark_regions(struct space *s, vaddr_t start, vaddr_t end, int advice)
{
    int err = 0;

    if (space_isolate(s, start, end) != 0)
        return -ENOMEM;
    for (struct region *r = space_find_from(s, start); err == 0 && r != NULL && r->start < end;
         r = region_next(s, r))
        err = mark_region(r, advice);
    space_merge_range(s, start, end);
    return err;
}

static bool
is_mark(int advice)
{
    return advice == MADV_DONTFORK || advice == MADV_DOFORK ||
           (advice >= MADV_DONTDUMP && advice <= MADV_KEEPONFORK);
}

static bool
is_populate(int advice)
{
    return advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
}

/* The faults that reading or writing each page would take, now. */
static int
populate(struct space *s, vaddr_t start, vaddr_t end, unsigned access)
{
    for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
        switch (vm_fault(s, va, access)) {
        case FAULT_DONE:
            break;
        case FAULT_ACCERR:
            return -EINVAL;
        case FAULT_BUSERR:
            return -EFAULT;
        default:
            return -ENOMEM;
        }
        sched_preempt(); /* the range may be all there is */
    }
    return 0;
}

/* Advice that is understood and has no effect on what a program sees. */
static bool
is_hint(int advice)
{
    return (advice >= MADV_NORMAL && advice <= MADV_WILLNEED) ||
           (advice >= MADV_MERGEABLE && advice < MADV_DONTDUMP) || advice == MADV_COLD ||
           advice == MADV_PAGEOUT;
}

int
vm_madvise(struct space *s, vaddr_t addr, uint64_t len, int advice)
{
    vaddr_t end;
    int err = 0;

    if (!page_aligned(addr))
        return -EINVAL;
    if (!is_hint(advice) && !is_mark(advice) && !is_populate(advice) &&
        advice != MADV_DONTNEED && advice != MADV_FREE)
        return -EINVAL;
    if (len == 0)
        return 0;
    if (judge_range(addr, len, &end) != 0)
        return -EINVAL;
    if (is_populate(advice))
        return populate(s, addr, end, advice == MADV_POPULATE_READ ? PROT_READ : PROT_WRITE);

    mutex_lock(&s->lock);
    bool hole = !all_mapped(s, addr, end);

    if (advice == MADV_FREE || advice == MADV_DONTNEED)
        err = judge_giving_up(s, addr, end, advice);
    if (err == 0 && (advice == MADV_DONTNEED || advice == MADV_FREE))
        give_up(s, addr, end);
    else if (is_mark(advice))
        err = mark_regions(s, addr, end, advice);
    mutex_unlock(&s->lock);
    return err == 0 && hole ? -ENOMEM : err;
}

/* True if the page of @va in @r needs no disk. vm_lock held. */
static bool
page_in_memory(struct space *s, const struct region *r, vaddr_t va)
{
    pte_t *e = pagetable_find(&s->pt, va);

    if (e != NULL && pte_present(*e))
        return true;

    struct anon *a = r->shared ? NULL : radix_get(&s->private, va >> PAGE_SHIFT);

    if (a != NULL)
        return a->frame != NULL && !a->frame->busy;
    return r->object != NULL &&
           object_peek(r->object, r->offset + (va - r->start) / PAGE_SIZE) != NULL;
}

int
vm_mincore(struct space *s, vaddr_t addr, uint64_t pages, uint8_t *vec)
{
    int err = 0;

    mutex_lock(&s->lock);
    mutex_lock(&vm_lock);
    for (uint64_t i = 0; i < pages; i++) {
        struct region *r = space_find(s, addr + i * PAGE_SIZE);

        if (r == NULL) {
            err = -ENOMEM;
            break;
        }
        vec[i] = page_in_memory(s, r, addr + i * PAGE_SIZE);
    }
    mutex_unlock(&vm_lock);
    mutex_unlock(&s->lock);
    return err;
}
