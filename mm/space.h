/*
 * space.h - an address space: its regions, the table of its private pages, its page table.
 *
 *   - A region is the pages [start, end) with one protection and one source.
 *   - Regions are sorted, disjoint and page-aligned.
 *   - Private pages are keyed by address in the space, not by region: split, merge, mprotect
 *     and mremap never touch a reference count.
 *
 * Locks: S = space->lock, V = vm_lock, A = atomic, C = constant after creation.
 */
#pragma once

#include "kernel/abi/mman.h"
#include "kernel/lib/avl.h"
#include "kernel/lib/list.h"
#include "kernel/lib/radix.h"
#include "kernel/sched/mutex.h"
#include "mm/fault.h"
#include "mm/object.h"
#include "mm/pagetable.h"
#include "mm/rmap.h"

#define STACK_GUARD_GAP (256 * PAGE_SIZE) /* never mapped below a stack, as on Linux */
#define REGIONS_MAX     65530             /* Linux's vm.max_map_count */
#define AUXV_WORDS      40                /* of an auxiliary vector, AT_NULL included */

struct region {
    struct avl_node node;  /* S */
    struct list link;      /* S: the space's list, by address */
    vaddr_t start, end;    /* S */
    uint8_t prot;          /* S: PROT_READ, PROT_WRITE, PROT_EXEC */
    uint8_t max_prot;      /* C: what mprotect may give */
    bool shared;           /* C: stores reach the object */
    bool grows_down;       /* C: a stack */
    bool heap;             /* C: made by brk */
    bool dont_fork;        /* S: MADV_DONTFORK */
    bool wipe_on_fork;     /* S: MADV_WIPEONFORK: a child finds zeros */
    bool locked;           /* S: mlock: reclaim leaves its pages alone */
    uint8_t promise;       /* S: enum promise */
    bool dont_dump;        /* S: MADV_DONTDUMP */
    uint8_t swap_window;   /* S: pages that were to be read from swap at once, last time */
    vaddr_t swap_next;     /* S: the first page behind them */
    struct object *object; /* C: NULL: zeros */
    pgidx_t offset;        /* C: page of the object that lies at start */
    uint64_t gap;          /* S: free bytes before start, as placement counts them */
    uint64_t max_gap;      /* S: the widest gap in the subtree */
};

struct space {
    uint32_t refs; /* A: threads and others that use it */
    struct mutex lock;
    struct avl_tree tree;       /* S */
    struct list regions;        /* S */
    unsigned nregions;          /* S */
    uint64_t pages;             /* S: pages in regions */
    uint64_t locked_pages;      /* S: those of locked ones */
    unsigned lock_future;       /* S: MCL_* for regions to come */
    struct radix private;       /* S and V to change, S or V to read: va >> 12 -> anon */
    uint64_t nprivate;          /* V: entries in private */
    struct pagetable pt;        /* V */
    uint64_t resident_anon;     /* V: mapped frames of anons */
    uint64_t resident_file;     /* V: mapped frames of files */
    uint64_t resident_peak;     /* V */
    struct fault_counts faults; /* V */
    bool dying;           /* A: its process was killed: no fault waits for memory any more */
    struct list all_link; /* V: in the list of all spaces */

    /* For core dumps. A. */
    bool dumpable;        /* its program acts in the name of who runs it (PR_SET_DUMPABLE) */
    uint32_t core_filter; /* /proc/PID/coredump_filter */

    /* Layout, set by exec. S. */
    vaddr_t mmap_base; /* mappings are placed below */
    vaddr_t brk_start, brk;
    vaddr_t stack_top;
    vaddr_t arg_start, arg_end; /* strings of /proc/PID/cmdline */
    vaddr_t env_start, env_end; /* and environ */
    vaddr_t code_start, code_end;
    uint64_t auxv[AUXV_WORDS]; /* as the program was given it */
    /* RLIMIT_STACK, _DATA, _AS, _MEMLOCK in bytes; the last is UINT64_MAX for the privileged. */
    uint64_t stack_limit, data_limit, as_limit, memlock_limit;
};

/* What an entry of the region may have: PROT_*, and RMAP_LOCKED. */
static inline unsigned
region_rights(const struct region *r)
{
    bool stays = r->locked || (r->shared && r->object->locked);

    return r->prot | (stays ? RMAP_LOCKED : 0);
}

/* Private memory that can be written, stacks apart: what RLIMIT_DATA is about. */
static inline bool
region_is_data(const struct region *r)
{
    return !r->shared && !r->grows_down && (r->prot & PROT_WRITE);
}

#define region_for_each(r, s) list_for_each (r, &(s)->regions, link)

/* space_create - an empty space with one reference, or NULL. */
struct space *space_create(void) MUST_CHECK;

struct space *space_get(struct space *s);

/*
 * Gives a reference back; the last one unmaps and frees everything. Sleeps; no lock held;
 * not loaded on any CPU then.
 */
void space_put(struct space *s);

/* The region that holds @va, or NULL. space->lock held. */
struct region *space_find(const struct space *s, vaddr_t va);

/*
 * The first region that ends behind @va, or NULL: the one that holds it, or
 * the next. space->lock held.
 */
struct region *space_find_from(const struct space *s, vaddr_t va);

struct region *region_next(const struct space *s, const struct region *r);
struct region *region_prev(const struct space *s, const struct region *r);

/*
 * space_place - find room for @len bytes.
 *
 * @low, @high: the range must lie in [low, high).
 * Returns: the highest fitting address, or 0 when there is none.  space->lock held.
 */
vaddr_t space_place(const struct space *s, uint64_t len, vaddr_t low, vaddr_t high);

/*
 * space_may_grow - may the space have so many pages more?
 *
 * @locked: they would be locked, too.
 * Returns: 0; -ENOMEM: RLIMIT_AS; -EPERM, -EAGAIN: RLIMIT_MEMLOCK.  space->lock held, or a guess.
 */
int space_may_grow(const struct space *s, uint64_t pages, bool locked) MUST_CHECK;

/* The same for locking alone: -EPERM, -EAGAIN. */
int space_may_lock(const struct space *s, uint64_t pages) MUST_CHECK;

/*
 * May it have so many pages of data more?  0, or -ENOMEM: RLIMIT_DATA.  A limit of 0 is for brk
 * alone, as on Linux, where a debugger relies on that.
 */
int space_may_hold_data(const struct space *s, uint64_t pages) MUST_CHECK;

/*
 * space_insert - add a copy of @pattern where nothing is mapped; merges it with its
 * neighbours when they are alike.
 *
 * @pattern: all fields that describe the region; its object reference is taken over on success.
 *           With PROMISE_MADE its pages are charged here.
 * Locks:   space->lock.  Does not sleep.
 * Returns: 0, or -ENOMEM (no memory, no promise, or REGIONS_MAX) with nothing changed.
 */
int space_insert(struct space *s, const struct region *pattern) MUST_CHECK;

/*
 * region_split - cut a region in two at a page boundary.
 *
 * @r:   region to cut; keeps the low part [start, at).
 * @at:  byte address, page-aligned, r->start < at < r->end.
 * Locks:   space->lock held.  Does not sleep.
 * Returns: 0, or -ENOMEM with r unchanged.
 */
int region_split(struct space *s, struct region *r, vaddr_t at) MUST_CHECK;

/*
 * space_isolate - split so that no region straddles @start or @end.
 * Returns: 0 or -ENOMEM (a harmless split may have happened).
 */
int space_isolate(struct space *s, vaddr_t start, vaddr_t end) MUST_CHECK;

/*
 * Joins @r with the region before it if they are alike. Returns the region
 * that now holds @r's pages.
 */
struct region *region_merge_left(struct space *s, struct region *r);

/* Joins what became alike about and in [start, end). space->lock held. */
void space_merge_range(struct space *s, vaddr_t start, vaddr_t end);

/*
 * region_relocate - @r is now [start, end), where nothing else is mapped; joins it with
 * neighbours that are alike. Its pages are the caller's business, and so is the charge when it
 * grows.  Does not fail.
 */
void region_relocate(struct space *s, struct region *r, vaddr_t start, vaddr_t end);

/* Moves the lower edge of a stack region, whose charge was paid, down to @start. */
void region_grow_down(struct space *s, struct region *r, vaddr_t start);

/*
 * space_remove - take away what is mapped in [start, end), with its pages.
 *
 * @dead: receives regions that are no more; region_free_list frees them when no lock is held any
 *        more (a file's last reference may sleep).
 * Locks:   space->lock held, vm_lock taken.
 * Returns: 0; -ENOMEM, with nothing changed, if a region would become two and cannot.
 */
int space_remove(struct space *s, vaddr_t start, vaddr_t end, struct list *dead) MUST_CHECK;
void region_free_list(struct list *dead);

/* Throws away the private pages of [start, end) and their PTEs. space->lock and vm_lock held. */
struct tlb_batch;
void space_drop_private(struct space *s, vaddr_t start, vaddr_t end, struct tlb_batch *b);

/*
 * space_truncate_copies - the file ends before page @from now: throw away private copies of what
 * lay behind, in every space, so that touching one is SIGBUS (mmap(2)).
 * Locks:   takes each space->lock in turn; the file's inode lock may be held.  Sleeps.
 */
void space_truncate_copies(struct object *o, pgidx_t from);

/*
 * space_word_key - what identifies the word at @va for everybody who shares it: the object and
 * the offset in a shared region, else the space and the address.  Takes space->lock.
 * The key holds a reference to the object, until space_word_key_put; that may sleep.
 */
struct word_key {
    const void *owner;
    uint64_t offset;
    struct object *object; /* NULL: the owner is a space */
};
struct word_key space_word_key(struct space *s, vaddr_t va);
void space_word_key_put(struct word_key k);

/* Calls @visit for every space, under vm_lock. */
void space_for_each(void (*visit)(struct space *s, void *arg), void *arg);

/*
 * space_trim_tables - free the page tables that cover addresses of [start, end) and are empty,
 * through @b. vm_lock held.
 */
void space_trim_tables(struct space *s, vaddr_t start, vaddr_t end, struct tlb_batch *b);
