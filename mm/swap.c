/*
 * swap.c - swap areas: which slot is whose, and pages on their way to and from the disk.
 *
 * An area is a disk with mkswap's header in its first page.  A bit for each slot tells whether
 * it is used.  Slots are given in rising order from a hint, so pages that leave together lie
 * together, and are written with one request.
 *
 *     slot_t:  | area, 4 bits | page of the area, 28 bits |
 *
 * Page 0 is the header, so slot 0 means none.
 *
 * Who calls: reclaim.c sends pages out, demand.c and object.c fetch them,
 * anon.c gives slots back.
 *
 * Locks: vm_lock for areas, bits and anons. It is let go of while the disk works.
 */
#include "mm/swap.h"

#include "kernel/abi/errno.h"
#include "kernel/dev/block.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/trace/trace.h"
#include "mm/anon.h"
#include "mm/frame.h"
#include "mm/kvmap.h"
#include "mm/layout.h"
#include "mm/object.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/tlb.h"

#define AREA_SHIFT       28
#define AREA_PAGES_MAX   (1UL << AREA_SHIFT)
#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR_SIZE)

/* The first page of an area, as mkswap(8) writes it (linux/swap.h, union swap_header). */
struct swap_header {
    uint8_t boot[1024];
    uint32_t version;
    uint32_t last_page;
    uint32_t bad_count;
    uint8_t uuid[16], label[16];
    uint32_t padding[117];
    uint32_t bad[637];
    uint8_t unused[2];
    char magic[10]; /* "SWAPSPACE2" */
};

STATIC_ASSERT(offsetof(struct swap_header, magic) == PAGE_SIZE - 10);
STATIC_ASSERT(SWAP_CLUSTER <= 32); /* a bit for each page of a cluster */

struct area {
    struct block_device *dev; /* NULL: this place is free */
    uint64_t *bits;           /* V: 1: used, bad, or not there */
    uint64_t pages;           /* page numbers below this exist */
    uint64_t usable, used;    /* V: slots that can be used, and are */
    uint64_t hint;            /* V: where to look next */
    int priority;
    bool leaving; /* V: swap_off is at work: nothing goes out any more */
};

static struct area areas[SWAP_AREAS];

uint64_t swap_pages_out, swap_pages_in;

/* ---- slots ---- */

static struct area *
area_of(slot_t slot)
{
    return &areas[swap_area(slot)];
}

unsigned
swap_area(slot_t slot)
{
    return slot >> AREA_SHIFT;
}

uint64_t
swap_page(slot_t slot)
{
    return slot & (AREA_PAGES_MAX - 1);
}

static slot_t
make_slot(const struct area *a, uint64_t page)
{
    return (slot_t)((uint64_t)(a - areas) << AREA_SHIFT | page);
}

static bool
is_used(const struct area *a, uint64_t page)
{
    return page >= a->pages || (a->bits[page / 64] & 1UL << page % 64);
}

static void
set_used(struct area *a, uint64_t page)
{
    a->bits[page / 64] |= 1UL << page % 64;
}

/* A free page of the area at or after the hint, or from its beginning; 0: none. */
static uint64_t
find_free(struct area *a)
{
    if (a->used == a->usable)
        return 0;
    for (uint64_t step = 0, page = a->hint; step < a->pages; step++, page++) {
        if (page >= a->pages)
            page = 1;
        if (a->bits[page / 64] == UINT64_MAX && page % 64 == 0) { /* a whole word is taken */
            step += 63;
            page += 63;
        } else if (!is_used(a, page)) {
            return page;
        }
    }
    return 0;
}

static slot_t
take(struct area *a, uint64_t page)
{
    ASSERT(page > 0 && !is_used(a, page));
    set_used(a, page);
    a->used++;
    a->hint = page + 1;
    return make_slot(a, page);
}

/* A free slot of the area with the highest priority that has one; 0: none. */
static slot_t
slot_alloc(void)
{
    // LAB swap/1 begin -- @none
    struct area *best = NULL;

    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        struct area *a = &areas[i];

        if (a->dev != NULL && !a->leaving && a->used < a->usable &&
            (best == NULL || a->priority > best->priority))
            best = a;
    }
    return best != NULL ? take(best, find_free(best)) : 0;
    // LAB end
}

void
swap_free(slot_t slot)
{
    struct area *a = area_of(slot);
    uint64_t page = swap_page(slot);

    ASSERT(mutex_held(&vm_lock) && page > 0 && is_used(a, page) && a->used > 0);
    // LAB swap/1 begin
    a->bits[page / 64] &= ~(1UL << page % 64);
    a->used--;
    // LAB end
}

/* The disk could not write there: taken for ever, but by nobody. */
static void
slot_is_bad(slot_t slot)
{
    area_of(slot)->used--;
    area_of(slot)->usable--;
}

bool
swap_slot_used(slot_t slot)
{
    const struct area *a = area_of(slot);

    return slot >> AREA_SHIFT < SWAP_AREAS && a->dev != NULL && swap_page(slot) > 0 &&
           swap_page(slot) < a->pages && is_used(a, swap_page(slot));
}

uint64_t
swap_slots(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < SWAP_AREAS; i++)
        if (areas[i].dev != NULL)
            n += areas[i].usable;
    return n;
}

uint64_t
swap_free_slots(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < SWAP_AREAS; i++)
        if (areas[i].dev != NULL && !areas[i].leaving)
            n += areas[i].usable - areas[i].used;
    return n;
}

/* ---- clusters ---- */

/* One request for @n pages of a cluster, from the @at-th on. */
static void
submit(const struct swap_cluster *c, unsigned at, unsigned n, bool write,
       struct block_request *req)
{
    memset(req, 0, sizeof(*req));
    req->write = write;
    req->sector = (swap_page(c->first) + at) * SECTORS_PER_PAGE;
    req->count = n;
    __atomic_fetch_add(write ? &swap_pages_out : &swap_pages_in, n, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < n; i++) {
        uint64_t frame = frame_number(c->frames[at + i]), page = swap_page(c->first) + at + i;

        req->segments[i] = (struct block_segment){frame << PAGE_SHIFT, PAGE_SIZE};
        if (write)
            trace_swap_out(swap_area(c->first), frame, page);
        else
            trace_swap_in(swap_area(c->first), frame, page);
    }
    block_submit(area_of(c->first)->dev, req);
}

enum swap_add
swap_out_add(struct swap_cluster *c, struct anon *a)
{
    struct frame *f = a->frame;

    ASSERT(mutex_held(&vm_lock) && f->maps == NULL && !f->busy && f->pins == 0);
    // LAB swap/2 begin -- @stays
    if (c->n == SWAP_CLUSTER)
        return SWAP_CLUSTER_FULL;

    slot_t next = c->first + c->n;
    if (c->n > 0 && is_used(area_of(c->first), swap_page(next)))
        return SWAP_CLUSTER_FULL;
    if (a->slot != 0) /* stale; and first: it may be the only one that there is */
        swap_free(a->slot);
    a->slot = c->n > 0 ? take(area_of(c->first), swap_page(next)) : slot_alloc();
    if (a->slot == 0)
        return SWAP_NO_ROOM;
    f->busy = true;
    if (c->n == 0)
        c->first = a->slot;
    c->frames[c->n++] = f;
    return SWAP_ADDED;
    // LAB end
}

/*
 * The disk is done with a cluster: its frames are no longer busy.  A bit for each page:
 * @leave: the bytes are only in the slot now.  @bad: they could not be written there.
 */
static void
arrive(struct swap_cluster *c, uint32_t leave, uint32_t bad)
{
    struct tlb_batch b;

    tlb_batch_init(&b);
    mutex_lock(&vm_lock);
    for (unsigned i = 0; i < c->n; i++) {
        struct frame *f = c->frames[i];
        struct anon *a = f->anon;

        // LAB swap/2 begin -- (void)a, (void)slot_is_bad, (void)leave, (void)bad;
        f->busy = false;
        if (bad & 1U << i) {
            slot_is_bad(a->slot);
            a->slot = 0;
        }
        if (leave & 1U << i) {
            anon_note_slot(a); /* it looks whether the frame is dirty */
            f->dirty = false;
            anon_leave_frame(a, &b);
        }
        anon_settle(a, &b);
        // LAB end
    }
    c->n = 0;
    tlb_flush(&b);
    object_io_finished();
    mutex_unlock(&vm_lock);
}

void
swap_out_start(struct swap_cluster *c, struct block_request *req)
{
    ASSERT(c->n > 0);
    submit(c, 0, c->n, true, req);
}

unsigned
swap_out_finish(struct swap_cluster *c, struct block_request *req)
{
    unsigned freed = c->n;
    uint32_t bad = 0;

    if (block_wait(req) != 0) { /* one by one, to lose no more slots than are bad */
        for (unsigned i = 0; i < c->n; i++) {
            submit(c, i, 1, true, req);
            if (block_wait(req) == 0)
                continue;
            bad |= 1U << i;
            freed--;
        }
    }
    arrive(c, ~bad, bad);
    return freed;
}

bool
swap_in_add(struct swap_cluster *c, struct anon *a)
{
    ASSERT(mutex_held(&vm_lock) && a->frame == NULL && a->slot != 0);
    // LAB swap/3 begin -- @not_back
    if (c->n == SWAP_CLUSTER || (c->n > 0 && a->slot != c->first + c->n))
        return false;

    struct frame *f = frame_alloc(FRAME_ANON, 0);

    if (f == NULL)
        return false;
    f->busy = true;
    anon_enter_frame(a, f);
    if (c->n == 0)
        c->first = a->slot;
    c->frames[c->n++] = f;
    return true;
    // LAB end
}

int
swap_in_finish(struct swap_cluster *c)
{
    struct block_request req;
    int err;

    submit(c, 0, c->n, false, &req);
    err = block_wait(&req);
    arrive(c, err != 0 ? ~0U : 0, 0);
    return err;
}

/* ---- areas ---- */

/* Reads the header of @dev and says in words what is wrong with it. */
static int
read_header(struct block_device *dev, struct swap_header *h)
{
    const char *wrong = NULL;
    int err = block_rw(dev, false, 0, virt_to_phys(h), PAGE_SIZE);

    if (err != 0)
        wrong = "its header cannot be read";
    else if (memcmp(h->magic, "SWAPSPACE2", sizeof(h->magic)) != 0)
        wrong = "it has no swap signature: prepare it with mkswap";
    else if (h->version != 1)
        wrong = "its version is not 1";
    else if (h->last_page == 0 || h->last_page >= AREA_PAGES_MAX)
        wrong = "it says that it holds no page, or too many";
    else if ((h->last_page + 1UL) * SECTORS_PER_PAGE > dev->sectors)
        wrong = "it says that it is larger than the disk";
    else if (h->bad_count > ARRAY_SIZE(h->bad))
        wrong = "its list of bad pages is too long";
    if (wrong != NULL)
        kprintf("swap: %s is not used: %s\n", dev->name, wrong);
    return wrong != NULL && err == 0 ? -EINVAL : err;
}

static unsigned
bitmap_pages(uint64_t pages)
{
    return (unsigned)((pages + PAGE_SIZE * 8 - 1) / (PAGE_SIZE * 8));
}

/* Fills in a free place for an area. */
static int
area_make(struct area *a, const struct swap_header *h)
{
    memset(a, 0, sizeof(*a));
    a->pages = h->last_page + 1UL;
    a->bits = kvmap_alloc(bitmap_pages(a->pages));
    if (a->bits == NULL)
        return -ENOMEM;
    a->usable = a->pages - 1;
    a->hint = 1;
    set_used(a, 0);
    for (uint32_t i = 0; i < h->bad_count; i++) {
        if (is_used(a, h->bad[i]))
            continue;
        set_used(a, h->bad[i]);
        a->usable--;
    }
    return 0;
}

/* The area on @dev, or with NULL a free place; NULL: none. */
static struct area *
area_find(const struct block_device *dev)
{
    for (unsigned i = 0; i < SWAP_AREAS; i++)
        if (areas[i].dev == dev)
            return &areas[i];
    return NULL;
}

int
swap_on(struct block_device *dev, int priority)
{
    struct area made;

    if (area_find(dev) != NULL)
        return -EBUSY;
    if (area_find(NULL) == NULL)
        return -EPERM;

    struct frame *f = frame_alloc(FRAME_KERNEL, 0);

    if (f == NULL)
        return -ENOMEM;

    int err = dev->read_only ? -EROFS : read_header(dev, frame_data(f));

    if (err == 0)
        err = area_make(&made, frame_data(f));
    frame_free(f);
    if (err != 0)
        return err;
    made.dev = dev;
    made.priority = priority;
    mutex_lock(&vm_lock);
    for (unsigned i = 0; i < SWAP_AREAS && priority == SWAP_PRIORITY; i++)
        if (areas[i].dev != NULL)
            made.priority = MIN(made.priority, areas[i].priority);
    made.priority -= priority == SWAP_PRIORITY;
    struct area *a = area_find(dev) == NULL ? area_find(NULL) : NULL;

    if (a != NULL)
        *a = made;
    mutex_unlock(&vm_lock);
    if (a == NULL) { /* somebody was faster while we read */
        kvmap_free(made.bits, bitmap_pages(made.pages));
        return -EBUSY;
    }
    kprintf("swap: %s, %lu KiB\n", dev->name, made.usable * PAGE_SIZE / KIB);
    return 0;
}

/* What swap_off looks for in the tables that name anons. */
struct search {
    const struct area *area;
    struct anon *found; /* has only a slot there, or travels */
};

/* Looks at one anon: if it has a frame, its slot there is given up; else it is found. */
static bool
release_slot(struct anon *a, const struct search *s)
{
    if (a->slot == 0 || area_of(a->slot) != s->area)
        return false;
    if (a->frame == NULL || a->frame->busy)
        return true;
    a->frame->dirty = true; /* the frame is the only place again */
    swap_free(a->slot);
    a->slot = 0;
    return false;
}

void
swap_search_table(struct radix *table, void *arg)
{
    struct search *s = arg;
    struct anon *a;

    for (uint64_t i = 0; s->found == NULL && (a = radix_next(table, &i, UINT64_MAX)) != NULL;
         i++)
        if (release_slot(a, s))
            s->found = a;
}

static void
search_space(struct space *space, void *arg)
{
    swap_search_table(&space->private, arg);
}

/* Brings back the page that was found. V held, and let go of. */
static int
bring_back(struct anon *a)
{
    struct swap_cluster c = {.n = 0};
    uint64_t seen = object_io_count;
    bool busy = a->frame != NULL;
    bool added = !busy && swap_in_add(&c, a);

    mutex_unlock(&vm_lock);
    if (busy)
        object_wait_io(seen);
    else if (!added)
        return -ENOMEM;
    return added ? swap_in_finish(&c) : 0;
}

int
swap_off(struct block_device *dev)
{
    int err = 0;

    mutex_lock(&vm_lock);
    struct area *a = area_find(dev);

    if (dev == NULL || a == NULL || a->leaving) {
        mutex_unlock(&vm_lock);
        return -EINVAL;
    }
    a->leaving = true;
    while (err == 0 && a->used > 0) {
        struct search s = {a, NULL};

        space_for_each(search_space, &s);
        if (s.found == NULL)
            object_for_each_shm(swap_search_table, &s);
        if (s.found != NULL) {
            err = bring_back(s.found);
            if (err == -ENOMEM && reclaim_ask(NULL) == 0)
                err = 0;
        } else if (a->used > 0) { /* of an anon that nobody names any more, and that travels */
            uint64_t seen = object_io_count;

            mutex_unlock(&vm_lock);
            object_wait_io(seen);
        } else {
            mutex_unlock(&vm_lock);
        }
        mutex_lock(&vm_lock);
    }
    a->leaving = false;
    struct area gone = *a;

    if (err == 0)
        a->dev = NULL;
    mutex_unlock(&vm_lock);
    if (err == 0)
        kvmap_free(gone.bits, bitmap_pages(gone.pages));
    return err;
}

uint64_t
swap_overhead(void)
{
    uint64_t frames = 0;

    for (unsigned i = 0; i < SWAP_AREAS; i++)
        if (areas[i].dev != NULL)
            frames += bitmap_pages(areas[i].pages);
    return frames;
}

bool
swap_get_info(unsigned n, struct swap_info *info)
{
    bool found = false;

    mutex_lock(&vm_lock); /* against swap_off */
    for (unsigned i = 0; i < SWAP_AREAS && !found; i++) {
        const struct area *a = &areas[i];

        if (a->dev == NULL || n-- > 0)
            continue;
        *info = (struct swap_info){a->dev->name, a->usable, a->used, a->priority};
        found = true;
    }
    mutex_unlock(&vm_lock);
    return found;
}
