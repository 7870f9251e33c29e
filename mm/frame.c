/*
 * frame.c - who owns each 4 KiB piece of RAM.
 *
 * Frames that were given back lie on a free list.  Frames that were never used
 * are not on it: each range of RAM remembers how far it has been used ("fresh"),
 * so nothing has to be set up per frame at boot, and a descriptor is
 * written for the first time when its frame is first handed out.
 *
 * Called by everybody; calls nobody.  Main invariant: free_count is the length
 * of the free list plus the fresh frames of all ranges.
 */
#include "mm/frame.h"

#include "boot/bootinfo.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/trace/trace.h"
#include "mm/tlbcheck.h"

#define RAM_MIN_FRAMES (12 * MIB / PAGE_SIZE) /* below, not even a shell fits */

struct ram {
    paddr_t start; /* first frame that is ours to give */
    paddr_t fresh; /* first frame never handed out */
    paddr_t end;
};

static struct spinlock frame_lock = SPINLOCK_INIT("frames");
static struct list free_list = LIST_INIT(free_list);
static struct ram rams[BOOT_RANGES_MAX];
static unsigned nrams;
static unsigned fresh_ram; /* no range before this one has fresh frames */
static uint64_t free_count;
static uint64_t total_count;
static uint64_t owner_count[FRAME_OWNERS];
static bool booting = true;

struct frame *frame_zero;

STATIC_ASSERT(TRACE_OWNER_ZERO == (int)FRAME_ZERO); /* events.toml names the same */

void
frame_init(void)
{
    for (unsigned i = 0; i < bootinfo.nram; i++) {
        struct boot_range *b = &bootinfo.ram[i];

        rams[nrams++] = (struct ram){b->start, b->start, b->end};
        free_count += (b->end - b->start) / PAGE_SIZE;
    }
    if (free_count < RAM_MIN_FRAMES)
        panic("too little memory: %lu KiB of RAM are free for use, and the least that works is "
              "%lu KiB. "
              "Give the machine 16 MiB or more (./vm run --mem 24M, or qemu -m 24M)",
              free_count * PAGE_SIZE / KIB, RAM_MIN_FRAMES * PAGE_SIZE / KIB);
}

paddr_t
frame_boot_alloc(void)
{
    ASSERT(booting);
    while (fresh_ram < nrams && rams[fresh_ram].fresh == rams[fresh_ram].end)
        fresh_ram++;
    if (fresh_ram == nrams)
        panic("out of memory while building the kernel's page tables");

    struct ram *r = &rams[fresh_ram];
    paddr_t pa = r->fresh;

    r->fresh += PAGE_SIZE;
    r->start = r->fresh;
    free_count--;
    memset(phys_to_virt(pa), 0, PAGE_SIZE);
    return pa;
}

void
frame_boot_end(void)
{
    booting = false;
    total_count = free_count;
    owner_count[FRAME_FREE] = free_count;
    frame_zero = frame_alloc(FRAME_ZERO, FRAME_ZEROED | FRAME_URGENT);
    ASSERT(frame_zero != NULL);
}

/*
 * The next frame that was never used; the caller knows that there is a free one
 * and that the list is empty.
 */
static struct frame *
take_fresh(void)
{
    while (rams[fresh_ram].fresh == rams[fresh_ram].end) {
        fresh_ram++;
        ASSERT(fresh_ram < nrams);
    }

    struct frame *f = frame_of(rams[fresh_ram].fresh);

    memset(f, 0, sizeof(*f));
    list_init(&f->link);
    /* Last: frame_peek on another CPU takes what lies below for a descriptor. */
    WRITE_ONCE(rams[fresh_ram].fresh, rams[fresh_ram].fresh + PAGE_SIZE);
    return f;
}

/* So many frames are not for this caller. */
static uint64_t
frames_left_to_others(enum frame_owner owner, unsigned flags)
{
    if (flags & FRAME_URGENT)
        return 0;
    return owner == FRAME_ANON || owner == FRAME_OBJECT ? FRAME_RESERVE + FRAME_CUSHION
                                                        : FRAME_RESERVE;
}

struct frame *
frame_alloc(enum frame_owner owner, unsigned flags)
{
    ASSERT(owner != FRAME_FREE && !booting);
    spin_lock(&frame_lock);
    if (free_count <= frames_left_to_others(owner, flags)) {
        spin_unlock(&frame_lock);
        return NULL;
    }

    struct list *l = list_pop_front(&free_list);
    struct frame *f = l != NULL ? list_entry(l, struct frame, link) : take_fresh();

    ASSERT(f->owner == FRAME_FREE);
    f->owner = owner;
    free_count--;
    owner_count[FRAME_FREE]--;
    owner_count[owner]++;
    trace_frame_alloc(owner, frame_number(f), 1); /* in the lock: before the next owner's */
    spin_unlock(&frame_lock);

    tlbcheck_frame(f);
    if (flags & FRAME_ZEROED)
        memset(frame_data(f), 0, PAGE_SIZE);
    return f;
}

void
frame_free(struct frame *f)
{
    ASSERT(f->owner != FRAME_FREE);
    ASSERT(f->maps == NULL && f->pins == 0 && !f->busy);
    ASSERT(list_empty(&f->link));

    spin_lock(&frame_lock);
    owner_count[f->owner]--;
    owner_count[FRAME_FREE]++;
    trace_frame_free(f->owner, frame_number(f), 1);
    f->owner = FRAME_FREE;
    f->anon = NULL;
    f->index = 0;
    f->dirty = f->referenced = false;
    list_push_front(&free_list, &f->link);
    free_count++;
    spin_unlock(&frame_lock);
}

struct frame *
frame_alloc_contiguous(unsigned n)
{
    struct frame *first = NULL;

    spin_lock(&frame_lock);
    for (unsigned i = fresh_ram; i < nrams && first == NULL; i++) {
        if (rams[i].end - rams[i].fresh < n * PAGE_SIZE)
            continue;
        first = frame_of(rams[i].fresh);
        rams[i].fresh += n * PAGE_SIZE;
    }
    if (first != NULL) {
        memset(first, 0, n * sizeof(*first));
        for (unsigned i = 0; i < n; i++) {
            list_init(&first[i].link);
            first[i].owner = FRAME_KERNEL;
        }
        free_count -= n;
        owner_count[FRAME_FREE] -= n;
        owner_count[FRAME_KERNEL] += n;
        trace_frame_alloc(FRAME_KERNEL, frame_number(first), n);
    }
    spin_unlock(&frame_lock);
    if (first != NULL)
        memset(frame_data(first), 0, n * PAGE_SIZE);
    return first;
}

bool
frame_exists(paddr_t pa)
{
    for (unsigned i = 0; i < nrams; i++)
        if (pa >= rams[i].start && pa < rams[i].end)
            return true;
    return false;
}

struct frame *
frame_peek(uint64_t n)
{
    paddr_t pa = n << PAGE_SHIFT;

    for (unsigned i = 0; i < nrams; i++)
        if (pa >= rams[i].start && pa < READ_ONCE(rams[i].fresh))
            return frame_of(pa);
    return NULL;
}

struct frame *
frame_nth(uint64_t n)
{
    uint64_t used = 0;

    for (unsigned i = 0; i < nrams; i++)
        used += (rams[i].fresh - rams[i].start) / PAGE_SIZE;
    ASSERT(used > 0);
    n %= used;
    for (unsigned i = 0;; i++) {
        uint64_t here = (rams[i].fresh - rams[i].start) / PAGE_SIZE;

        if (n < here)
            return frame_of(rams[i].start) + n;
        n -= here;
    }
}

void
frame_for_each(void (*visit)(struct frame *f, void *arg), void *arg)
{
    for (unsigned i = 0; i < nrams; i++)
        for (paddr_t pa = rams[i].start; pa < rams[i].fresh; pa += PAGE_SIZE)
            visit(frame_of(pa), arg);
}

uint64_t
frame_free_count(void)
{
    return READ_ONCE(free_count);
}

void
frame_get_stats(struct frame_stats *s)
{
    spin_lock(&frame_lock);
    s->total = total_count;
    s->free = free_count;
    memcpy(s->by_owner, owner_count, sizeof(owner_count));
    spin_unlock(&frame_lock);
}
