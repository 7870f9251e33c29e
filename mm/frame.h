/*
 * frame.h - physical frames: one descriptor for each 4 KiB piece of RAM.
 *
 *   - A frame is free, or has exactly one owner that says what it is for.
 *   - frame_alloc never sleeps and never reclaims: it says no, and its caller
 *     waits by the restart rule.
 *   - The last FRAME_RESERVE frames are for callers that free memory
 *     by using some (FRAME_URGENT).
 *   - A descriptor is first touched when its frame is first allocated, so
 *     booting costs nothing per frame.
 *
 * Locks: F = frame_lock (spin, leaf), V = vm_lock, O = whoever owns the frame.
 */
#pragma once

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "mm/layout.h"

struct anon;
struct object;
struct rmap;

enum frame_owner {
    FRAME_FREE,
    FRAME_KERNEL,    /* kernel stacks, DMA memory, large kernel objects */
    FRAME_KMALLOC,   /* small kernel objects: kmalloc.c */
    FRAME_PAGETABLE, /* a page table of a user space */
    FRAME_ANON,      /* the bytes of frame->anon */
    FRAME_OBJECT,    /* page frame->index of frame->object */
    FRAME_ZERO, /* the one frame of zeros, mapped read-only wherever nothing was written yet */
    FRAME_OWNERS,
};

struct frame {
    struct list link; /* F: free list; V: the replacement policy's order */
    union {
        struct anon *anon;     /* V: FRAME_ANON */
        struct object *object; /* V: FRAME_OBJECT */
        void *slab;            /* kmalloc's: first free object */
    };
    struct rmap *maps; /* V: every PTE that points here */
    uint32_t index;    /* V: page index in the object */
    union {
        uint16_t pins; /* V: > 0: somebody reads or writes the bytes through the direct map */
        uint16_t used; /* O: a page table's entries, a slab's objects that are in use */
    };
    uint8_t owner;       /* O: enum frame_owner */
    bool busy : 1;       /* V: I/O in flight; mapped nowhere */
    bool dirty : 1;      /* V: differs from its slot or file (besides the PTEs' D bits) */
    bool referenced : 1; /* V: used since reclaim last looked (besides the PTEs' A bits) */
    bool queued : 1;     /* V: the replacement policy has it */
    uint8_t rank : 2;    /* V: the replacement policy's own */
};

STATIC_ASSERT(sizeof(struct frame) == 40);

#define FRAME_ZEROED 1U /* fill with zeros */
#define FRAME_URGENT 2U /* may dip into the reserve: pager, flusher, block layer */

/*
 * Who may take the last frames: pages of programs and files leave FRAME_CUSHION more than the
 * kernel's own objects do, so that a system call seldom fails for want of a small object while
 * pages could be reclaimed.
 */
#define FRAME_RESERVE 32
#define FRAME_CUSHION 64

/* The descriptor of the frame at a physical address that is RAM; and back. */
static inline struct frame *
frame_of(paddr_t pa)
{
    return (struct frame *)FRAMES_BASE + (pa >> PAGE_SHIFT);
}

static inline uint64_t
frame_number(const struct frame *f)
{
    return (uint64_t)(f - (struct frame *)FRAMES_BASE);
}

static inline paddr_t
frame_addr(const struct frame *f)
{
    return frame_number(f) << PAGE_SHIFT;
}

/* The frame's bytes. */
static inline void *
frame_data(const struct frame *f)
{
    return phys_to_virt(frame_addr(f));
}

/*
 * frame_alloc - take a free frame.
 *
 * @owner: what it will be; not FRAME_FREE.
 * @flags: FRAME_ZEROED, FRAME_URGENT.
 * Locks:   takes frame_lock; any context.  Does not sleep.
 * Returns: a frame with no maps, pins or flags; or NULL.
 */
struct frame *frame_alloc(enum frame_owner owner, unsigned flags) MUST_CHECK;

/* Gives a frame back: it must have no maps, no pins, and not be busy. */
void frame_free(struct frame *f);

/* True if @pa is RAM that the frame allocator manages (free or not). */
bool frame_exists(paddr_t pa);

struct frame_stats {
    uint64_t total; /* frames managed */
    uint64_t free;
    uint64_t by_owner[FRAME_OWNERS];
};
void frame_get_stats(struct frame_stats *s);
uint64_t frame_free_count(void);

/*
 * Called once, by kmain(): takes over the RAM of bootinfo. Panics, in
 * words, when it is too little.
 */
void frame_init(void);

/* The frame of zeros. */
extern struct frame *frame_zero;

/*
 * frame_boot_alloc - a zeroed frame before there are descriptors: for the
 * kernel's own page tables.
 * Never given back.  Panics when RAM is out.
 */
paddr_t frame_boot_alloc(void);

/* frame_boot_end - from here on frame_alloc works: descriptors are mapped. */
void frame_boot_end(void);

/*
 * frame_alloc_contiguous - @n frames in a row that were never used
 * before, or NULL; while booting.
 */
struct frame *frame_alloc_contiguous(unsigned n) MUST_CHECK;

/* The descriptor of frame number @n if it was ever allocated, else NULL. Any context. */
struct frame *frame_peek(uint64_t n);

/* Any number names one of the frames that were ever allocated. */
struct frame *frame_nth(uint64_t n);

/* Calls @visit for every frame that was ever allocated; vm_check's way to see them all. */
void frame_for_each(void (*visit)(struct frame *f, void *arg), void *arg);
