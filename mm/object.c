/*
 * object.c - the pages of files (the page cache) and of shared memory.
 *
 * A page that is missing is put into the table first, busy, and read then, with
 * no lock held; whoever else wants it sees that it is busy and waits.  A page that is
 * written to the disk is not busy: its entries are made read-only, so a store
 * meanwhile faults and makes it dirty again.
 *
 *     absent --read_in--> busy --done--> clean <--sync-- dirty
 *                          |                ^------store---^
 *                          +--error--> absent
 *
 * A frame that is taken out of its object while somebody has it pinned is freed by the last unpin.
 *
 * Locks: vm_lock for everything here; never held while a file system is called.
 */
#include "mm/object.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/arch/cpu.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/refs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/trace/trace.h"
#include "mm/anon.h"
#include "mm/commit.h"
#include "mm/fault.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/swap.h"

#define READ_SEQUENTIAL OBJECT_CLUSTER
#define READ_RANDOM     8

uint64_t object_io_count;
uint64_t object_dirty_pages;
unsigned objects_locked;

static struct waitq io_done = WAITQ_INIT(io_done);
static struct list dirty_objects = LIST_INIT(dirty_objects);
static struct list shm_objects = LIST_INIT(shm_objects); /* those with pages, by dirty_link */

void
object_init(struct object *o, enum object_kind kind, const struct object_ops *ops)
{
    memset(o, 0, sizeof(*o));
    o->refs = 1;
    o->kind = kind;
    o->ops = ops;
    list_init(&o->dirty_link);
}

static void
shm_release(struct object *o)
{
    object_drop_pages(o);
    commit_release(o->promised);
    kfree(o);
}

static void
shm_describe(struct object *o, char *path, size_t size, dev_t *dev, ino_t *ino)
{
    strlcpy(path, "/dev/zero (deleted)", size);
    *dev = 1;
    *ino = o->id;
}

static const struct object_ops shm_ops = {.release = shm_release, .describe = shm_describe};

int
object_init_shm(struct object *o, const struct object_ops *ops, uint64_t size, bool reserve)
{
    uint64_t promised =
        commit_promise(PROT_WRITE, !reserve) == PROMISE_MADE ? page_ceil(size) / PAGE_SIZE : 0;

    if (commit_charge(promised) != 0)
        return -ENOMEM;
    object_init(o, OBJECT_SHM, ops);
    o->size = size;
    o->promised = promised;
    return 0;
}

struct object *
object_alloc_shm(uint64_t size, bool reserve)
{
    static uint32_t last_id;
    struct object *o = kmalloc(sizeof(*o));

    if (o != NULL && object_init_shm(o, &shm_ops, size, reserve) != 0) {
        kfree(o);
        return NULL;
    }
    if (o != NULL)
        o->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    return o;
}

/* The mark is in the entries (RMAP_LOCKED): they go, and come back by faults as they should be. */
void
object_set_locked(struct object *o, bool locked)
{
    struct tlb_batch b;
    struct anon *a;

    tlb_batch_init(&b);
    mutex_lock(&vm_lock);
    objects_locked += locked - o->locked;
    o->locked = locked;
    for (uint64_t i = 0; (a = radix_next(&o->pages, &i, UINT64_MAX)) != NULL; i++)
        if (a->frame != NULL)
            rmap_remove_all(a->frame, &b);
    tlb_flush(&b);
    mutex_unlock(&vm_lock);
}

void
object_get(struct object *o)
{
    __atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
}

void
object_put(struct object *o)
{
    ASSERT(o->refs > 0);
    if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) == 0)
        o->ops->release(o);
}

/* ---- waiting ---- */

void
object_io_finished(void)
{
    ASSERT(mutex_held(&vm_lock));
    object_io_count++;
    waitq_wake_all(&io_done);
}

void
object_wait_io(uint64_t seen)
{
    wait_event(&io_done, READ_ONCE(object_io_count) != seen);
}

/* Lets go of vm_lock until some I/O is done. */
static void
unlock_and_wait_io(void)
{
    uint64_t seen = object_io_count;

    mutex_unlock(&vm_lock);
    object_wait_io(seen);
}

/* ---- dirty pages ---- */

void
object_mark_dirty(struct object *o, struct frame *f)
{
    ASSERT(mutex_held(&vm_lock) && o->kind == OBJECT_FILE);
    if (f->dirty || f->object == NULL)
        return;
    f->dirty = true;
    if (object_dirty_pages++ == 0)
        reclaim_dirtied();
    if (o->ndirty++ == 0)
        list_push_back(&dirty_objects, &o->dirty_link);
}

static void
mark_clean(struct object *o, struct frame *f)
{
    if (!f->dirty)
        return;
    f->dirty = false;
    object_dirty_pages--;
    if (--o->ndirty == 0)
        list_del(&o->dirty_link);
}

/* ---- finding and reading ---- */

struct frame *
object_peek(struct object *o, pgidx_t index)
{
    void *entry = radix_get(&o->pages, index);

    if (entry == NULL)
        return NULL;

    struct frame *f = o->kind == OBJECT_SHM ? ((struct anon *)entry)->frame : entry;

    return f == NULL || f->busy ? NULL : f;
}

struct anon *
object_anon(struct object *o, pgidx_t index)
{
    struct anon *a = radix_get(&o->pages, index);

    ASSERT(mutex_held(&vm_lock) && o->kind == OBJECT_SHM);
    if (a != NULL || radix_reserve(&o->pages, index) != 0)
        return a;
    a = anon_alloc(frame_zero);
    if (a == NULL) {
        (void)radix_del(&o->pages, index); /* the empty entry that was reserved */
        return NULL;
    }

    int err = radix_set(&o->pages, index, a);

    ASSERT(err == 0);
    if (o->npages++ == 0)
        list_push_back(&shm_objects, &o->dirty_link);
    return a;
}

int
object_find(struct object *o, pgidx_t index, struct frame **out)
{
    ASSERT(mutex_held(&vm_lock));
    if (o->kind == OBJECT_SHM) {
        struct anon *a = object_anon(o, index);

        if (a == NULL)
            return FAULT_WAIT_MEMORY;
        *out = a->frame;
        if (*out == NULL)
            return FAULT_WAIT_SWAP;
    } else {
        *out = radix_get(&o->pages, index);
        if (*out == NULL)
            return FAULT_WAIT_READ;
    }
    return (*out)->busy ? FAULT_WAIT_BUSY : FAULT_DONE;
}

void
object_for_each_shm(void (*visit)(struct radix *pages, void *arg), void *arg)
{
    struct object *o;

    ASSERT(mutex_held(&vm_lock));
    list_for_each (o, &shm_objects, dirty_link)
        visit(&o->pages, arg);
}

/* A new frame in the table at @index, where none is; NULL: no memory. */
static struct frame *
insert_frame(struct object *o, pgidx_t index, unsigned flags)
{
    unsigned urgent = current_thread()->frees_memory ? FRAME_URGENT : 0;
    struct frame *f = frame_alloc(FRAME_OBJECT, flags | urgent);

    if (f == NULL)
        return NULL;
    if (radix_set(&o->pages, index, f) != 0) {
        frame_free(f);
        return NULL;
    }
    f->object = o;
    f->index = index;
    o->npages++;
    return f;
}

void
object_forget(struct frame *f)
{
    struct object *o = f->object;

    ASSERT(mutex_held(&vm_lock) && f->owner == FRAME_OBJECT && f->maps == NULL);
    mark_clean(o, f);
    reclaim_remove(f);
    radix_del(&o->pages, f->index);
    o->npages--;
    f->object = NULL;
}

/* Puts busy frames for a run of missing pages from @index on into the table. Returns how many. */
static unsigned
insert_busy_run(struct object *o, pgidx_t index, struct frame **frames)
{
    bool sequential = index == o->readahead || index == 0;
    unsigned want = sequential ? READ_SEQUENTIAL : READ_RANDOM;
    unsigned n = 0;

    while (n < want && (n == 0 || !object_beyond_end(o, index + n))) {
        if (radix_get(&o->pages, index + n) != NULL)
            break;
        frames[n] = insert_frame(o, index + n, 0);
        if (frames[n] == NULL)
            break;
        frames[n++]->busy = true;
    }
    o->readahead = index + n;
    return n;
}

/*
 * Reads a run, or if that fails its first page: the bad place may be a neighbour's.
 * @n: how many; receives how many came.
 */
static int
read_run(struct object *o, pgidx_t index, struct frame **frames, unsigned *n)
{
    int err = o->ops->read_pages(o, index, frames, *n);

    if (err != 0 && *n > 1) {
        *n = 1;
        err = o->ops->read_pages(o, index, frames, 1);
    }
    if (err != 0)
        *n = 0;
    return err;
}

int
object_read_in(struct object *o, pgidx_t index)
{
    struct frame *frames[OBJECT_CLUSTER];

    mutex_lock(&vm_lock);
    if (radix_get(&o->pages, index) != NULL) { /* somebody was faster: begin again */
        mutex_unlock(&vm_lock);
        return 0;
    }
    bool behind = object_beyond_end(o, index);
    unsigned n = insert_busy_run(o, index, frames);
    mutex_unlock(&vm_lock);
    if (n == 0)
        return -ENOMEM;

    unsigned good = n;
    int err = 0;

    /*
     * A truncation takes the pages first, and the blocks then: who comes in between must not see
     * them, for once the file has grown again they would count.
     */
    if (behind)
        memset(frame_data(frames[0]), 0, PAGE_SIZE);
    else
        err = read_run(o, index, frames, &good);
    mutex_lock(&vm_lock);
    for (unsigned i = 0; i < n; i++) {
        frames[i]->busy = false;
        if (i < good) {
            reclaim_add(frames[i]);
        } else {
            object_forget(frames[i]);
            frame_free(frames[i]);
        }
    }
    object_io_finished();
    mutex_unlock(&vm_lock);
    return err;
}

/* The page is in memory and not travelling: pins it. */
static int
pin(struct frame *f, struct frame **out)
{
    if (f->busy)
        return -EAGAIN;
    ASSERT(f->pins < UINT16_MAX);
    f->pins++;
    f->referenced = true;
    *out = f;
    return 0;
}

/*
 * One try of object_get_page, vm_lock held. Returns 0 with *out, -EAGAIN: wait for I/O,
 * -ENOENT: read it, -ESTALE: @in has to be read from swap, -ENOMEM.
 */
static int
try_get_page(struct object *o, pgidx_t index, bool overwrite, struct frame **out,
             struct swap_cluster *in)
{
    if (o->kind == OBJECT_SHM) {
        struct anon *a = object_anon(o, index);

        if (a == NULL)
            return -ENOMEM;
        if (a->frame == NULL)
            return swap_in_add(in, a) ? -ESTALE : -ENOMEM;
        return pin(a->frame, out);
    }

    struct frame *f = radix_get(&o->pages, index);

    if (f == NULL) {
        if (!overwrite)
            return -ENOENT;
        f = insert_frame(o, index, FRAME_ZEROED);
        if (f == NULL)
            return -ENOMEM;
        reclaim_add(f);
    }
    return pin(f, out);
}

/* A write to a file in memory can be refused; what is read from a disk must be somewhere. */
static int
wait_for_memory(const struct object *o)
{
    struct space *s = current_thread()->space;

    return o->kind == OBJECT_SHM ? reclaim_ask(s) : reclaim_wait(s);
}

int
object_get_page(struct object *o, pgidx_t index, bool overwrite, struct frame **out)
{
    for (;;) {
        struct swap_cluster in = {.n = 0};

        mutex_lock(&vm_lock);
        int err = try_get_page(o, index, overwrite, out, &in);

        if (err == -EAGAIN) {
            unlock_and_wait_io();
            continue;
        }
        mutex_unlock(&vm_lock);
        if (err == -ENOENT || err == -ESTALE) {
            err = err == -ENOENT ? object_read_in(o, index) : swap_in_finish(&in);
            if (err == 0)
                continue;
        }
        if (err == -ENOMEM && wait_for_memory(o) == 0)
            continue;
        return err;
    }
}

/* A frame without an owner, kept only for those who had it pinned. */
static void
free_if_orphan(struct frame *f)
{
    if (f->pins > 0)
        return;
    if ((f->owner == FRAME_OBJECT && f->object == NULL) ||
        (f->owner == FRAME_ANON && f->anon == NULL))
        frame_free(f);
}

void
object_put_page(struct object *o, struct frame *f, bool dirty)
{
    mutex_lock(&vm_lock);
    ASSERT(f->pins > 0);
    f->pins--;
    if (dirty && f->owner == FRAME_OBJECT)
        object_mark_dirty(o, f);
    else if (dirty)
        f->dirty = true;
    free_if_orphan(f);
    mutex_unlock(&vm_lock);
}

/* ---- truncating ---- */

/* True if page I/O of [start, ...) is in flight, which truncation must not overtake. */
static bool
io_in_flight(struct object *o, pgidx_t start)
{
    struct frame *f;

    if (o->writing > 0)
        return true;
    if (o->kind == OBJECT_SHM)
        return false;
    for (uint64_t i = start; (f = radix_next(&o->pages, &i, UINT64_MAX)) != NULL; i++)
        if (f->busy)
            return true;
    return false;
}

/* Takes the pages of [start, ...) out, from mappings too. vm_lock held. */
static void
remove_pages(struct object *o, pgidx_t start)
{
    struct tlb_batch b;
    void *entry;

    tlb_batch_init(&b);
    for (uint64_t i = start; (entry = radix_next(&o->pages, &i, UINT64_MAX)) != NULL; i++) {
        if (o->kind == OBJECT_SHM) {
            struct anon *a = entry;

            if (a->frame != NULL)
                rmap_remove_all(a->frame, &b);
            radix_del(&o->pages, i);
            if (--o->npages == 0)
                list_del(&o->dirty_link);
            anon_put(a, &b);
        } else {
            struct frame *f = entry;

            rmap_remove_all(f, &b);
            object_forget(f);
            if (f->pins == 0)
                tlb_batch_free(&b, f);
        }
    }
    tlb_flush(&b);
}

/* Zeroes what lies behind @size in its page, so that a file that grows again shows zeros there. */
static void
zero_tail(struct object *o, uint64_t size)
{
    size_t from = size & PAGE_MASK;
    struct frame *f;
    bool dirty = false;

    if (from == 0 || size >= o->size)
        return;
    if (object_get_page(o, size >> PAGE_SHIFT, false, &f) != 0) {
        kprintf(
            "object: the tail of a truncated file could not be read, so it is not zeroed\n");
        return;
    }
    for (size_t i = from; i < PAGE_SIZE && !dirty; i++)
        dirty = ((char *)frame_data(f))[i] != 0;
    if (dirty && o->kind == OBJECT_FILE)
        dirty =
            o->ops->prepare_write == NULL || o->ops->prepare_write(o, size >> PAGE_SHIFT) == 0;
    memset((char *)frame_data(f) + from, 0, PAGE_SIZE - from);
    object_put_page(o, f, dirty);
}

void
object_resize(struct object *o, uint64_t size)
{
    pgidx_t end = (size + PAGE_MASK) >> PAGE_SHIFT;

    zero_tail(o, size);
    mutex_lock(&vm_lock);
    if (size < o->size) {
        o->size = size; /* first, so that nobody reads pages in behind it again */
        while (io_in_flight(o, end)) {
            unlock_and_wait_io();
            mutex_lock(&vm_lock);
        }
        remove_pages(o, end);
    }
    o->size = size;
    mutex_unlock(&vm_lock);
    if (READ_ONCE(o->private_mapped))
        space_truncate_copies(o, end);
}

void
object_drop_pages(struct object *o)
{
    mutex_lock(&vm_lock);
    while (io_in_flight(o, 0)) {
        unlock_and_wait_io();
        mutex_lock(&vm_lock);
    }
    remove_pages(o, 0);
    mutex_unlock(&vm_lock);
}

void
object_drop_clean(struct object *o, pgidx_t start, pgidx_t end)
{
    struct frame *f;

    mutex_lock(&vm_lock);
    for (uint64_t i = start;
         o->kind == OBJECT_FILE && (f = radix_next(&o->pages, &i, end)) != NULL; i++) {
        if (f->busy || f->dirty || f->pins > 0 || f->maps != NULL)
            continue;
        trace_drop(frame_number(f), i);
        object_forget(f);
        frame_free(f);
    }
    mutex_unlock(&vm_lock);
}

bool
object_retire(struct object *o)
{
    bool unused;

    mutex_lock(&vm_lock);
    while (o->refs == 0 && io_in_flight(o, 0)) {
        unlock_and_wait_io();
        mutex_lock(&vm_lock);
    }
    unused = o->refs == 0;
    if (unused)
        remove_pages(o, 0);
    mutex_unlock(&vm_lock);
    return unused;
}

/* ---- writing back ---- */

/*
 * The next run of dirty pages in [*index, end): pinned, clean, write-protected.
 * Returns its length. vm_lock held.
 */
static unsigned
take_dirty_run(struct object *o, pgidx_t *index, pgidx_t end, struct frame **frames)
{
    // LAB mmap/7 begin -- @one_page
    struct tlb_batch b;
    struct frame *f;
    unsigned n = 0;

    tlb_batch_init(&b);
    for (uint64_t i = *index;
         n < OBJECT_CLUSTER && (f = radix_next(&o->pages, &i, end)) != NULL; i++) {
        if (n > 0 && i != *index + n)
            break;
        if (!f->dirty || f->busy) {
            if (n > 0)
                break;
            continue;
        }
        if (n == 0)
            *index = i;
        mark_clean(o, f);
        rmap_write_protect(f, &b);
        trace_write_back(frame_number(f), i);
        f->pins++;
        frames[n++] = f;
    }
    tlb_flush(&b);
    return n;
    // LAB end
}

/*
 * Writes a run; page by page if it does not go as a whole, to fail with no more than is bad.
 * Returns the last error, and a bit in *bad for each page that was not written.
 */
static int
write_run(struct object *o, pgidx_t index, struct frame **frames, unsigned n, uint32_t *bad)
{
    int last = o->ops->write_pages(o, index, frames, n);

    *bad = last != 0;
    if (last == 0 || n == 1)
        return last;
    *bad = 0;
    last = 0;
    for (unsigned i = 0; i < n; i++) {
        int err = o->ops->write_pages(o, index + i, frames + i, 1);

        last = err != 0 ? err : last;
        *bad |= (uint32_t)(err != 0) << i;
    }
    return last;
}

/* Writes the dirty pages of [start, end), waits for other writers. V held, let go of meanwhile. */
static int
write_dirty(struct object *o, pgidx_t start, pgidx_t end)
{
    struct frame *frames[OBJECT_CLUSTER];
    uint32_t bad;
    unsigned n;
    int last = 0;

    while (o->ndirty > 0 && (n = take_dirty_run(o, &start, end, frames)) > 0) {
        o->writing++;
        mutex_unlock(&vm_lock);

        int err = write_run(o, start, frames, n, &bad);

        mutex_lock(&vm_lock);
        for (unsigned i = 0; i < n; i++) {
            frames[i]->pins--;
            /* What the disk does not take must not fill memory: it is told, and given up. */
            if ((bad & 1U << i) && (err == -ENOMEM || o->ops->keep_unwritten))
                object_mark_dirty(o, frames[i]);
            free_if_orphan(frames[i]);
        }
        last = err != 0 ? err : last;
        o->write_error |= err != 0 && err != -ENOMEM;
        o->writing--;
        object_io_finished();
        start += n;
    }
    while (o->writing > 0) {
        unlock_and_wait_io();
        mutex_lock(&vm_lock);
    }
    return last;
}

int
object_sync(struct object *o, pgidx_t start, pgidx_t end)
{
    mutex_lock(&vm_lock);

    int err = write_dirty(o, start, end);
    bool failed = o->write_error;

    o->write_error = false;
    mutex_unlock(&vm_lock);
    return failed ? -EIO : err;
}

int
object_write_back(struct object *o)
{
    mutex_lock(&vm_lock);

    int err = write_dirty(o, 0, UINT64_MAX);
    bool failed = o->write_error;

    mutex_unlock(&vm_lock);
    return failed ? -EIO : err;
}

int
object_sync_all(void)
{
    int first_error = 0;

    mutex_lock(&vm_lock);
    /* Each object once: what becomes dirty meanwhile, or failed, waits for the next time. */
    for (uint64_t left = object_dirty_pages; left > 0 && !list_empty(&dirty_objects);) {
        struct object *o = list_first(&dirty_objects, struct object, dirty_link);

        list_del(&o->dirty_link);
        list_push_back(&dirty_objects, &o->dirty_link);
        left -= MIN(left, o->ndirty);
        if (!refs_try_get(&o->refs))
            continue; /* on its way out: its owner decides what becomes of its pages */

        int err = write_dirty(o, 0, UINT64_MAX);

        first_error = first_error != 0 ? first_error : err;
        mutex_unlock(&vm_lock);
        object_put(o);
        mutex_lock(&vm_lock);
    }
    mutex_unlock(&vm_lock);
    return first_error;
}
