/*
 * object.h - what a region can be a window onto: the pages of a file, or
 * of a shared memory segment.
 *
 *   - OBJECT_FILE: index -> frame.  This is the page cache: read(), write() and mappings
 *     of one file all use these frames, so they always agree.
 *   - OBJECT_SHM: index -> anon.  Memory without a disk behind it: tmpfs files,
 *     MAP_SHARED|MAP_ANONYMOUS.
 *   - A page that is being read is in the table at once, busy; whoever else wants it waits.
 *   - Pages at or beyond the size do not exist: a mapping of them gives SIGBUS.
 *
 * Locks: V = vm_lock, I = the inode lock of the file.
 */
#pragma once

#include "kernel/lib/list.h"
#include "kernel/lib/radix.h"
#include "mm/frame.h"

struct object;

/* What a file system does for its files. All may sleep and are called with no lock held. */
struct object_ops {
    /*
     * Fill @n frames with the pages [index, index + n) (n <= OBJECT_CLUSTER); holes and what
     * lies beyond the end of the file are zeros. Must not need the inode lock (a fault may come
     * from inside a read).  Returns 0 or -EIO, -ENOMEM.
     */
    int (*read_pages)(struct object *o, pgidx_t index, struct frame **frames, unsigned n);
    /* Write @n frames to where prepare_write made room.  Returns 0 or -EIO. */
    int (*write_pages)(struct object *o, pgidx_t index, struct frame **frames, unsigned n);
    /*
     * Make sure that page @index has a place on the disk, before it
     * becomes dirty. 0, -ENOSPC, -EIO.
     */
    int (*prepare_write)(struct object *o, pgidx_t index);
    /* Other files hang on these pages: what could not be written is tried again and again. */
    bool keep_unwritten;
    /*
     * The last reference is gone: free it, or keep it cached with
     * object_revive when it is wanted again.
     */
    void (*release)(struct object *o);
    /* The name to show in /proc/PID/maps, with device and inode number. */
    void (*describe)(struct object *o, char *path, size_t size, dev_t *dev, ino_t *ino);
    /* A region that showed it is gone; its reference is given back next. NULL: who cares. */
    void (*unmapped)(struct object *o);
};

enum object_kind { OBJECT_FILE, OBJECT_SHM };

#define OBJECT_CLUSTER 32 /* pages that one read or write may carry: 128 KiB */

struct object {
    uint32_t refs; /* atomic */
    uint8_t kind;  /* enum object_kind */
    const struct object_ops *ops;
    struct radix pages;     /* V */
    uint64_t size;          /* V to read, I and V to change: bytes */
    uint64_t npages;        /* V: entries in pages */
    uint64_t promised;      /* C: pages charged for shared memory, freed with it */
    uint64_t ndirty;        /* V: dirty frames among them */
    pgidx_t readahead;      /* V: page after the last one read in: a miss here is sequential */
    struct list dirty_link; /* V: in a list: of dirty files; of SHM with pages */
    unsigned writing;       /* V: write-outs in flight */
    bool locked;            /* V: SHM_LOCK: reclaim leaves alone what is mapped */
    bool private_mapped;    /* A: a region maps it privately, or did: there may be copies */
    bool write_error;       /* V: a write-back failed, and no object_sync has told so yet */
    uint32_t id;            /* of memory without a file: what /proc shows as inode number */
};

/*
 * object_init - an object with one reference and no pages. @ops: NULL only for
 * OBJECT_SHM without a file.
 */
void object_init(struct object *o, enum object_kind kind, const struct object_ops *ops);

/*
 * object_alloc_shm - anonymous shared memory of @size bytes, freed with its last reference.
 * @reserve: it is promised as a whole (commit.h).  NULL: no memory, or no promise.
 */
struct object *object_alloc_shm(uint64_t size, bool reserve) MUST_CHECK;

/*
 * object_init_shm - the same for a larger structure that has an object in it; its own release
 * drops the pages and gives the promise back.  0 or -ENOMEM.
 */
int object_init_shm(struct object *o, const struct object_ops *ops, uint64_t size,
                    bool reserve) MUST_CHECK;

/* Pages of shared memory that are mapped stay in memory, or do no more. No lock held. */
void object_set_locked(struct object *o, bool locked);

void object_get(struct object *o);
/* May sleep (release may write to the disk): hold no lock. */
void object_put(struct object *o);

/*
 * object_get_page - the frame of page @index, filled and pinned.
 *
 * @overwrite: the caller will write the whole page, so a missing one is not
 *   read (it comes zeroed).
 * @out:       receives the frame; give it back with object_put_page.
 * Locks:   none of the VM's may be held; the inode lock may.  Sleeps.
 * Returns: 0, -EIO, -ENOMEM.  The size is not looked at.
 */
int object_get_page(struct object *o, pgidx_t index, bool overwrite,
                    struct frame **out) MUST_CHECK;

/* Unpins; @dirty: its bytes were changed (prepare_write was called before, for a file). */
void object_put_page(struct object *o, struct frame *f, bool dirty);

/*
 * Sets the size. Shrinking zeroes the rest of the last page and takes away all pages behind it,
 * from mappings too, private copies of them included. Inode lock held; sleeps.
 */
void object_resize(struct object *o, uint64_t size);

/*
 * Writes all dirty pages of [start, end) and waits. Returns 0 or -EIO (also for an earlier
 * write-back that failed). Sleeps; inode lock not needed.
 */
int object_sync(struct object *o, pgidx_t start, pgidx_t end) MUST_CHECK;

/* The same for all of it; but what it returns, the next object_sync tells again. */
int object_write_back(struct object *o) MUST_CHECK;

/*
 * Throws away every page, dirty or not; nobody maps or pins any (the inode
 * is being evicted). Sleeps.
 */
void object_drop_pages(struct object *o);

/*
 * Lets go of the pages of a file in [start, end) that are clean and that nobody maps or
 * uses. Takes vm_lock.
 */
void object_drop_clean(struct object *o, pgidx_t start, pgidx_t end);

/*
 * object_retire - the same, if nobody has taken a reference in between (the flusher may).
 * Called with refs == 0, by an owner that makes sure that nobody else can find the object.
 * Returns: true: no page, no reference, in no list: it can be freed. False: leave it,
 *          release will be called again.
 */
bool object_retire(struct object *o) MUST_CHECK;

/*
 * Writes the dirty pages of every object. Returns 0 or the first error, which the next
 * object_sync tells again.
 */
int object_sync_all(void);

/* ---- for the rest of mm/ ---- */

/* Counts finished reads and write-outs; object_wait_io(n) sleeps until it is no longer n. */
extern uint64_t object_io_count;
void object_wait_io(uint64_t seen);

/* Page @index lies wholly behind the end. vm_lock held. */
static inline bool
object_beyond_end(const struct object *o, pgidx_t index)
{
    return index >= (o->size + PAGE_MASK) >> PAGE_SHIFT;
}

/*
 * object_find - the frame of page @index, as a fault wants it. vm_lock held; does not sleep.
 * Returns: FAULT_DONE with *out; FAULT_WAIT_BUSY, FAULT_WAIT_READ, FAULT_WAIT_MEMORY.
 */
int object_find(struct object *o, pgidx_t index, struct frame **out);

/*
 * The anon of page @index of shared memory, made at its first use. vm_lock
 * held. NULL: no memory.
 */
struct anon *object_anon(struct object *o, pgidx_t index);

/* Some I/O of a busy frame ended: who waits looks again. vm_lock held. */
void object_io_finished(void);

/* Calls @visit for the pages of every shared memory object that has some. vm_lock held. */
void object_for_each_shm(void (*visit)(struct radix *pages, void *arg), void *arg);

/* The same if it is there and not busy, else NULL. vm_lock held. */
struct frame *object_peek(struct object *o, pgidx_t index);

/*
 * Reads page @index, and what probably follows, into the cache. No lock
 * held; sleeps. 0, -EIO, -ENOMEM.
 */
int object_read_in(struct object *o, pgidx_t index) MUST_CHECK;

/* The frame, of OBJECT_FILE, differs from the disk now. vm_lock held. */
void object_mark_dirty(struct object *o, struct frame *f);

/*
 * Takes the clean, unmapped, unpinned frame out of its object (reclaim). vm_lock
 * held; the caller frees it.
 */
void object_forget(struct frame *f);

/* Frames of files that wait to be written, and frames of files in all. */
extern uint64_t object_dirty_pages;

/* Objects that are locked. V. */
extern unsigned objects_locked;
