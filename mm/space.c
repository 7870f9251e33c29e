/*
 * space.c - address spaces and their regions: find, insert, split, merge, place, remove.
 *
 * Regions hang in a list by address and in a balanced tree; each tree node
 * knows the widest gap in its subtree, so finding a region and finding room are
 * both a walk down one path.
 *
 * Before a stack, STACK_GUARD_GAP bytes do not count as free, so nothing is ever
 * placed right below it.
 *
 * Called by fault.c, stack.c, clone.c, mmap.c and, to make and drop whole spaces, by proc/.
 */
#include "mm/space.h"

#include "kernel/abi/core.h"
#include "kernel/abi/errno.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/refs.h"
#include "kernel/sched/thread.h"
#include "kernel/trace/trace.h"
#include "mm/anon.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/object.h"
#include "mm/rmap.h"
#include "mm/tlb.h"

static struct list all_spaces = LIST_INIT(all_spaces);

static struct region *
node_region(const struct avl_node *n)
{
    return n == NULL ? NULL : container_of(n, struct region, node);
}

static bool
region_less(const struct avl_node *a, const struct avl_node *b)
{
    return node_region(a)->start < node_region(b)->start;
}

static bool
region_update(struct avl_node *n)
{
    struct region *r = node_region(n);
    uint64_t old = r->max_gap;

    r->max_gap = r->gap;
    if (n->left != NULL)
        r->max_gap = MAX(r->max_gap, node_region(n->left)->max_gap);
    if (n->right != NULL)
        r->max_gap = MAX(r->max_gap, node_region(n->right)->max_gap);
    return r->max_gap != old;
}

struct region *
region_next(const struct space *s, const struct region *r)
{
    return r->link.next == &s->regions ? NULL : list_entry(r->link.next, struct region, link);
}

struct region *
region_prev(const struct space *s, const struct region *r)
{
    return r->link.prev == &s->regions ? NULL : list_entry(r->link.prev, struct region, link);
}

/* The lowest address that placement must keep clear on behalf of @r. */
static vaddr_t
guarded_start(const struct region *r)
{
    if (!r->grows_down)
        return r->start;
    return r->start > STACK_GUARD_GAP ? r->start - STACK_GUARD_GAP : 0;
}

static uint64_t
gap_before(const struct space *s, const struct region *r)
{
    struct region *prev = region_prev(s, r);
    vaddr_t free_from = prev == NULL ? 0 : prev->end;

    return guarded_start(r) > free_from ? guarded_start(r) - free_from : 0;
}

/* @r, if there is one, or the region before it has changed: so may the gap between them. */
static void
refresh_gap(struct space *s, struct region *r)
{
    uint64_t gap = r == NULL ? 0 : gap_before(s, r);

    if (r == NULL || r->gap == gap)
        return;
    r->gap = gap;
    avl_refresh(&s->tree, &r->node);
}

/* ---- whole spaces ---- */

struct space *
space_create(void)
{
    struct space *s = kzalloc(sizeof(*s));

    if (s == NULL)
        return NULL;
    s->refs = 1;
    s->dumpable = true;
    s->core_filter = CORE_FILTER_DEFAULT;
    mutex_init(&s->lock, "space");
    list_init(&s->regions);
    s->tree.less = region_less;
    s->tree.update = region_update;
    /* With its page table it enters the list, for vm_check() holds the one against the other. */
    mutex_lock(&vm_lock);
    int err = pagetable_init(&s->pt);

    if (err == 0)
        list_push_back(&all_spaces, &s->all_link);
    mutex_unlock(&vm_lock);
    if (err != 0) {
        kfree(s);
        return NULL;
    }
    return s;
}

struct space *
space_get(struct space *s)
{
    __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void
space_put(struct space *s)
{
    struct list dead = LIST_INIT(dead);

    if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    mutex_lock(&s->lock);
    int err = space_remove(s, 0, USER_TOP, &dead);
    mutex_unlock(&s->lock);
    ASSERT(err == 0); /* nothing is cut in two */

    mutex_lock(&vm_lock);
    ASSERT(s->private.root == NULL && s->resident_anon == 0 && s->resident_file == 0);
    list_del(&s->all_link);
    pagetable_free(&s->pt);
    mutex_unlock(&vm_lock);

    region_free_list(&dead);
    kfree(s);
}

void
space_for_each(void (*visit)(struct space *s, void *arg), void *arg)
{
    struct space *s;

    ASSERT(mutex_held(&vm_lock));
    list_for_each (s, &all_spaces, all_link)
        visit(s, arg);
}

/* ---- find ---- */

struct region *
space_find_from(const struct space *s, vaddr_t va)
{
    struct region *best = NULL;

    for (struct avl_node *n = s->tree.root; n != NULL;) {
        struct region *r = node_region(n);

        if (va < r->end) {
            best = r;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}

struct region *
space_find(const struct space *s, vaddr_t va)
{
    struct region *r = space_find_from(s, va);

    return r != NULL && r->start <= va ? r : NULL;
}

struct word_key
space_word_key(struct space *s, vaddr_t va)
{
    struct word_key key = {s, va, NULL};

    mutex_lock(&s->lock);
    const struct region *r = space_find(s, va);

    if (r != NULL && r->shared) {
        key = (struct word_key){r->object, r->offset * PAGE_SIZE + (va - r->start), r->object};
        object_get(r->object);
    }
    mutex_unlock(&s->lock);
    return key;
}

void
space_word_key_put(struct word_key k)
{
    if (k.object != NULL)
        object_put(k.object);
}

/* Where @len bytes fit highest into [from, to) cut to [low, high); 0: not. */
static vaddr_t
fit(vaddr_t from, vaddr_t to, uint64_t len, vaddr_t low, vaddr_t high)
{
    from = MAX(from, low);
    to = MIN(to, high);
    return to > from && to - from >= len ? to - len : 0;
}

/* The highest fit in the gaps before the regions of the subtree @n. */
static vaddr_t
place_below(const struct avl_node *n, uint64_t len, vaddr_t low, vaddr_t high)
{
    // LAB mmap/1 begin -- @nowhere
    const struct region *r = node_region(n);

    if (n == NULL || r->max_gap < len)
        return 0;

    vaddr_t va = 0;
    if (r->end < high) /* all gaps on the right begin at or behind r->end */
        va = place_below(n->right, len, low, high);
    if (va == 0)
        va = fit(guarded_start(r) - r->gap, guarded_start(r), len, low, high);
    if (va == 0 && guarded_start(r) > low)
        va = place_below(n->left, len, low, high);
    return va;
    // LAB end
}

vaddr_t
space_place(const struct space *s, uint64_t len, vaddr_t low, vaddr_t high)
{
    // LAB mmap/1 begin -- @below_all
    struct region *last = list_last(&s->regions, struct region, link);
    vaddr_t va = fit(last == NULL ? 0 : last->end, USER_TOP, len, low, high);

    return va != 0 ? va : place_below(s->tree.root, len, low, high);
    // LAB end
}

/* ---- insert, split, merge ---- */

int
space_may_lock(const struct space *s, uint64_t pages)
{
    if (s->memlock_limit == 0)
        return -EPERM;
    return s->locked_pages + pages > s->memlock_limit / PAGE_SIZE ? -EAGAIN : 0;
}

int
space_may_hold_data(const struct space *s, uint64_t pages)
{
    const struct region *r;

    if (s->data_limit == 0 || s->data_limit == UINT64_MAX)
        return 0;
    region_for_each (r, s)
        if (region_is_data(r))
            pages += (r->end - r->start) / PAGE_SIZE;
    return pages > s->data_limit / PAGE_SIZE ? -ENOMEM : 0;
}

int
space_may_grow(const struct space *s, uint64_t pages, bool locked)
{
    int err = locked ? space_may_lock(s, pages) : 0;

    if (err != 0)
        return err;
    return s->pages + pages > s->as_limit / PAGE_SIZE ? -ENOMEM : 0;
}

/* @r has so many bytes more, charged by the caller, or less, whose charge is given back. */
static void
count_pages(struct space *s, const struct region *r, int64_t bytes)
{
    int64_t pages = bytes / (int64_t)PAGE_SIZE;

    s->pages += pages;
    s->locked_pages += r->locked ? pages : 0;
    if (r->promise == PROMISE_MADE && pages < 0)
        commit_release(-pages);
}

/*
 * A change is recorded where a thread makes it in its own space. A fork copies, and exec and exit
 * let go of a space as a whole: the trace has other words for those.
 */
static bool
is_news(const struct space *s)
{
    return unlikely(trace_on) && s == current_thread()->space;
}

/* Two neighbours that one region could describe. */
static bool
regions_alike(const struct region *a, const struct region *b)
{
    // LAB mmap/3 begin -- @never_alike
    if (a->end != b->start || a->prot != b->prot || a->max_prot != b->max_prot ||
        a->shared != b->shared || a->grows_down != b->grows_down || a->heap != b->heap ||
        a->dont_fork != b->dont_fork || a->dont_dump != b->dont_dump ||
        a->wipe_on_fork != b->wipe_on_fork || a->locked != b->locked ||
        a->promise != b->promise || a->object != b->object)
        return false;
    return a->object == NULL || a->offset + (a->end - a->start) / PAGE_SIZE == b->offset;
    // LAB end
}

/* Hangs @r into list and tree. */
static void
region_link(struct space *s, struct region *r)
{
    struct region *next = space_find_from(s, r->start);

    ASSERT(next == NULL || next->start >= r->end);
    list_push_back(next != NULL ? &next->link : &s->regions, &r->link);
    r->gap = gap_before(s, r);
    if (next != NULL)
        next->gap = gap_before(s, next);
    avl_insert(&s->tree, &r->node);
    s->nregions++;
}

static void
region_unlink(struct space *s, struct region *r)
{
    struct region *next = region_next(s, r);

    list_del(&r->link);
    if (next != NULL)
        next->gap = gap_before(s, next);
    avl_remove(&s->tree, &r->node);
    s->nregions--;
}

struct region *
region_merge_left(struct space *s, struct region *r)
{
    struct region *prev = region_prev(s, r);

    if (prev == NULL || !regions_alike(prev, r))
        return r;

    struct object *o = r->object;

    prev->end = r->end;
    region_unlink(s, r);
    kfree(r);
    if (o != NULL)
        object_put(
            o); /* prev holds a reference too, so this is not the last one: it does not sleep */
    return prev;
}

/* Joins @r with both neighbours as far as they are alike. */
static void
merge_around(struct space *s, struct region *r)
{
    r = region_merge_left(s, r);
    if (region_next(s, r) != NULL)
        (void)region_merge_left(s, region_next(s, r));
}

void
space_merge_range(struct space *s, vaddr_t start, vaddr_t end)
{
    struct region *r = space_find_from(s, start);

    while (r != NULL && r->start <= end) {
        r = region_merge_left(s, r);
        r = region_next(s, r);
    }
}

void
region_relocate(struct space *s, struct region *r, vaddr_t start, vaddr_t end)
{
    region_unlink(s, r);
    count_pages(s, r, (int64_t)(end - start) - (int64_t)(r->end - r->start));
    if (is_news(s)) {
        trace_unmap(r->start, (r->end - r->start) / PAGE_SIZE);
        trace_map(r->prot, start, (end - start) / PAGE_SIZE);
    }
    r->start = start;
    r->end = end;
    region_link(s, r);
    merge_around(s, r);
}

/* A neighbour that is alike takes in what @p describes; NULL: there is none. */
static struct region *
extend_neighbour(struct space *s, const struct region *p)
{
    struct region *next = space_find_from(s, p->start);
    struct region *prev =
        next != NULL ? region_prev(s, next) : list_last(&s->regions, struct region, link);
    struct region *r = NULL;

    if (prev != NULL && regions_alike(prev, p)) {
        r = prev;
        r->end = p->end;
    } else if (next != NULL && regions_alike(p, next)) {
        r = next;
        r->start = p->start;
        r->offset = p->offset;
    }
    if (r != NULL && r->object != NULL)
        object_put(r->object); /* it has a reference too: not the last one, does not sleep */
    refresh_gap(s, r != NULL ? next : NULL);
    return r;
}

/* A region of its own for @p, or NULL. */
static struct region *
region_make(struct space *s, const struct region *p)
{
    struct region *r = kmalloc(sizeof(*r));

    if (r == NULL)
        return NULL;
    *r = *p;
    list_init(&r->link);
    if (r->object != NULL && !r->shared)
        r->object->private_mapped = true;
    region_link(s, r);
    return r;
}

int
space_insert(struct space *s, const struct region *pattern)
{
    ASSERT(page_aligned(pattern->start) && page_aligned(pattern->end));
    ASSERT(pattern->start < pattern->end && pattern->end <= USER_TOP);
    if (s->nregions >= REGIONS_MAX)
        return -ENOMEM;

    uint64_t pages = (pattern->end - pattern->start) / PAGE_SIZE;

    if (pattern->promise == PROMISE_MADE && commit_charge(pages) != 0)
        return -ENOMEM;

    struct region *r = extend_neighbour(s, pattern);

    if (r == NULL && (r = region_make(s, pattern)) == NULL) {
        if (pattern->promise == PROMISE_MADE)
            commit_release(pages);
        return -ENOMEM;
    }
    count_pages(s, r, (int64_t)(pages * PAGE_SIZE));
    if (is_news(s))
        trace_map(pattern->prot, pattern->start, pages);
    merge_around(s, r);
    return 0;
}

int
region_split(struct space *s, struct region *r, vaddr_t at)
{
    ASSERT(page_aligned(at));
    ASSERT(r->start < at && at < r->end);
    // LAB mmap/2 begin -- @never_split
    if (s->nregions >= REGIONS_MAX)
        return -ENOMEM;

    struct region *high = kmalloc(sizeof(*high));

    if (high == NULL)
        return -ENOMEM;
    *high = *r;
    high->start = at;
    high->offset = r->offset + (at - r->start) / PAGE_SIZE;
    list_init(&high->link);
    if (high->object != NULL)
        object_get(high->object);
    r->end = at;
    region_link(s, high);
    return 0;
    // LAB end
}

int
space_isolate(struct space *s, vaddr_t start, vaddr_t end)
{
    struct region *r = space_find(s, start);

    if (r != NULL && r->start < start && region_split(s, r, start) != 0)
        return -ENOMEM;
    r = space_find(s, end);
    if (r != NULL && r->start < end && region_split(s, r, end) != 0)
        return -ENOMEM;
    return 0;
}

void
region_grow_down(struct space *s, struct region *r, vaddr_t start)
{
    ASSERT(r->grows_down && start < r->start && page_aligned(start));
    count_pages(s, r, (int64_t)(r->start - start));
    if (r->object != NULL)
        r->offset -= (r->start - start) / PAGE_SIZE;
    r->start = start;
    refresh_gap(s, r);
}

/* ---- remove ---- */

void
space_drop_private(struct space *s, vaddr_t start, vaddr_t end, struct tlb_batch *b)
{
    void **run;
    unsigned n;

    rmap_remove_range(s, start, end, b);
    for (uint64_t i = start >> PAGE_SHIFT;
         (run = radix_run(&s->private, &i, end >> PAGE_SHIFT, &n)) != NULL; i += n) {
        for (unsigned k = 0; k < n; k++) {
            struct anon *a = run[k];

            if (a == NULL)
                continue;
            run[k] = NULL;
            s->nprivate--;
            anon_put(a, b);
        }
        radix_prune(&s->private, i);
    }
}

void
space_trim_tables(struct space *s, vaddr_t start, vaddr_t end, struct tlb_batch *b)
{
    struct list freed = LIST_INIT(freed);
    struct list *l;

    pagetable_trim(&s->pt, start, end, &freed);
    while ((l = list_pop_front(&freed)) != NULL) {
        struct frame *f = list_entry(l, struct frame, link);

        /*
         * Processors remember tables too. The address matters not: INVLPG makes them forget all
         * of the space's tables (Intel SDM vol. 3A 4.10.4.1).
         */
        tlb_batch_add(b, &s->pt, start, f);
        tlb_batch_free(b, f);
    }
}

/* Takes [from, to) from @r: the whole, its head or its tail. */
static void
region_cut(struct space *s, struct region *r, vaddr_t from, vaddr_t to, struct list *dead)
{
    if (is_news(s))
        trace_unmap(from, (to - from) / PAGE_SIZE);
    count_pages(s, r, -(int64_t)(to - from));
    if (to < r->end) {
        ASSERT(from == r->start);
        r->offset += (to - from) / PAGE_SIZE;
        r->start = to;
        refresh_gap(s, r);
    } else if (from > r->start) {
        r->end = from;
        refresh_gap(s, region_next(s, r));
    } else {
        region_unlink(s, r);
        list_push_back(dead, &r->link);
    }
}

int
space_remove(struct space *s, vaddr_t start, vaddr_t end, struct list *dead)
{
    ASSERT(mutex_held(&s->lock));
    // LAB mmap/4 begin -- @whole_regions
    struct region *r = space_find_from(s, start);
    struct tlb_batch b;

    if (r == NULL || r->start >= end)
        return 0;
    /* A hole in one region leaves two: only that can fail. */
    if (r->start < start && end < r->end && region_split(s, r, end) != 0)
        return -ENOMEM;
    tlb_batch_init(&b);
    mutex_lock(&vm_lock);
    while (r != NULL && r->start < end) {
        struct region *next = region_next(s, r);
        vaddr_t from = MAX(r->start, start), to = MIN(r->end, end);

        space_drop_private(s, from, to, &b);
        space_trim_tables(s, from, to, &b);
        region_cut(s, r, from, to, dead);
        r = next;
    }
    tlb_flush(&b);
    mutex_unlock(&vm_lock);
    return 0;
    // LAB end
}

/* The space after @s in the list (NULL: the first one), with a reference; vm_lock held. */
static struct space *
next_living(struct space *s)
{
    struct list *l = s == NULL ? all_spaces.next : s->all_link.next;

    for (; l != &all_spaces; l = l->next) {
        s = list_entry(l, struct space, all_link);
        if (refs_try_get(&s->refs))
            return s;
    }
    return NULL;
}

void
space_truncate_copies(struct object *o, pgidx_t from)
{
    struct space *s = NULL, *last;
    struct tlb_batch b;
    struct region *r;

    tlb_batch_init(&b);
    for (;;) {
        mutex_lock(&vm_lock);
        last = s;
        s = next_living(last);
        mutex_unlock(&vm_lock);
        if (last != NULL)
            space_put(last);
        if (s == NULL)
            return;

        mutex_lock(&s->lock);
        mutex_lock(&vm_lock);
        region_for_each (r, s) {
            uint64_t keep = from > r->offset ? (from - r->offset) * PAGE_SIZE : 0;

            if (r->object == o && !r->shared && keep < r->end - r->start)
                space_drop_private(s, r->start + keep, r->end, &b);
        }
        tlb_flush(&b);
        mutex_unlock(&vm_lock);
        mutex_unlock(&s->lock);
    }
}

void
region_free_list(struct list *dead)
{
    struct list *l;

    while ((l = list_pop_front(dead)) != NULL) {
        struct region *r = list_entry(l, struct region, link);

        struct object *o = r->object;

        kfree(r);
        if (o == NULL)
            continue;
        if (o->ops->unmapped != NULL)
            o->ops->unmapped(o);
        object_put(o);
    }
}
