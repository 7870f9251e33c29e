/*
 * kmalloc.c - small kernel objects, cut from frames.
 *
 * A slab is one frame of objects of one class.  Its free objects are a list
 * threaded through their own first words; the descriptor of the frame holds its head
 * (frame->slab), the class (frame->index) and how many objects are in use (frame->used).
 * Slabs with a free object are on their class's list; full ones are on none.
 *
 * With DEBUG=1 free objects are filled with KMALLOC_FREED, and looked at before they serve again.
 *
 * SIMPLE: one lock for all classes.  Real kernels keep caches of objects
 * per CPU (Bonwick 1994, 2001).
 */
#include "mm/kmalloc.h"

#include "kernel/arch/spinlock.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"

/* Each multiple of 16 up to SMALL, then multiples of 64 that leave little of a frame over. */
#define SMALL 128
static const uint16_t class_size[] = {16,  32,  48,  64,  80,  96,  112,  SMALL, 192,
                                      256, 320, 448, 512, 576, 768, 1024, 1344,  2048};

#define NCLASSES ARRAY_SIZE(class_size)

static struct spinlock kmalloc_lock = SPINLOCK_INIT("kmalloc");
static struct list partial[NCLASSES];
static uint64_t objects; /* atomic: whole frames are counted without the lock */

static unsigned
class_of(size_t size)
{
    unsigned c = SMALL / 16;

    if (size <= SMALL)
        return (unsigned)(MAX(size, 1UL) + 15) / 16 - 1;
    while (class_size[c] < size)
        c++;
    return c;
}

#ifdef DEBUG
static void
fill_free(uint64_t *p, size_t size)
{
    for (size_t i = 0; i < size / sizeof(*p); i++)
        p[i] = KMALLOC_FREED;
}

/* The first word is the list's. */
static void
expect_free(const uint64_t *p, size_t size)
{
    for (size_t i = 1; i < size / sizeof(*p); i++)
        if (p[i] != KMALLOC_FREED)
            panic("kmalloc: word %lu of the free object at %#lx was stored to", i, (vaddr_t)p);
}
#else
static void
fill_free(uint64_t *p UNUSED, size_t size UNUSED)
{
}

static void
expect_free(const uint64_t *p UNUSED, size_t size UNUSED)
{
}
#endif

/* Cuts a new frame into objects of class @c; NULL when there is none. */
static struct frame *
slab_new(unsigned c)
{
    struct frame *f = frame_alloc(FRAME_KMALLOC, 0);

    if (f == NULL)
        return NULL;

    char *base = frame_data(f);
    void *head = NULL;

    fill_free((uint64_t *)base, PAGE_SIZE);
    for (size_t off = 0; off + class_size[c] <= PAGE_SIZE; off += class_size[c]) {
        *(void **)(base + off) = head;
        head = base + off;
    }
    f->slab = head;
    f->index = c;
    if (partial[c].next == NULL)
        list_init(&partial[c]);
    list_push_front(&partial[c], &f->link);
    return f;
}

/* A whole frame: for objects of more than 2048 bytes. */
static void *
page_object(void)
{
    struct frame *f = frame_alloc(FRAME_KERNEL, 0);

    if (f == NULL)
        return NULL;
    __atomic_add_fetch(&objects, 1, __ATOMIC_RELAXED);
    return frame_data(f);
}

void *
kmalloc(size_t size)
{
    ASSERT(size <= PAGE_SIZE);
    if (size > class_size[NCLASSES - 1])
        return page_object();

    unsigned c = class_of(size);

    spin_lock(&kmalloc_lock);

    struct frame *f;
    if (partial[c].next == NULL || list_empty(&partial[c]))
        f = slab_new(c);
    else
        f = list_first(&partial[c], struct frame, link);

    void *p = NULL;
    if (f != NULL) {
        p = f->slab;
        f->slab = *(void **)p;
        f->used++;
        __atomic_add_fetch(&objects, 1, __ATOMIC_RELAXED);
        if (f->slab == NULL)
            list_del(&f->link);
        expect_free(p, class_size[c]);
    }
    spin_unlock(&kmalloc_lock);
    return p;
}

void *
kzalloc(size_t size)
{
    void *p = kmalloc(size);

    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void
kfree(void *p)
{
    if (p == NULL)
        return;

    struct frame *f = frame_of(virt_to_phys(p));

    if (f->owner == FRAME_KERNEL) {
        ASSERT(page_aligned((vaddr_t)p));
        __atomic_sub_fetch(&objects, 1, __ATOMIC_RELAXED);
        frame_free(f);
        return;
    }
    ASSERT(f->owner == FRAME_KMALLOC);
    ASSERT((vaddr_t)p % PAGE_SIZE % class_size[f->index] == 0);

    spin_lock(&kmalloc_lock);
    if (f->slab == NULL)
        list_push_front(&partial[f->index], &f->link);
    fill_free(p, class_size[f->index]);
    *(void **)p = f->slab;
    f->slab = p;
    ASSERT(f->used > 0);
    __atomic_sub_fetch(&objects, 1, __ATOMIC_RELAXED);
    if (--f->used == 0) {
        list_del(&f->link);
        frame_free(f);
    }
    spin_unlock(&kmalloc_lock);
}

char *
kstrdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = kmalloc(n);

    if (p != NULL)
        memcpy(p, s, n);
    return p;
}

uint64_t
kmalloc_count(void)
{
    return READ_ONCE(objects);
}
