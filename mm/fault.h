/*
 * fault.h - vm_fault(): what a page fault means.
 *
 * The answer does not depend on the page table, which is only a cache: it comes
 * from the regions, the private pages and the objects.
 */
#pragma once

#include "kernel/lib/types.h"
#include "mm/swap.h"
#include "mm/tlb.h"

struct object;
struct region;
struct space;

enum fault_result {
    /* Ends. */
    FAULT_DONE,   /* the access will succeed now: run the instruction again */
    FAULT_MAPERR, /* nothing is mapped there: SIGSEGV, SEGV_MAPERR */
    FAULT_ACCERR, /* something is, and does not allow it: SIGSEGV, SEGV_ACCERR */
    FAULT_BUSERR, /* beyond the end of the file, or the disk failed: SIGBUS, BUS_ADRERR */
    FAULT_NOMEM,  /* no memory could be found, or the process was killed while it waited */
    /* Let go of everything, wait, begin again. */
    FAULT_WAIT_BUSY,    /* another thread reads this page in */
    FAULT_WAIT_MEMORY,  /* for a free frame */
    FAULT_WAIT_READ,    /* page fault->index of fault->object has to be read */
    FAULT_WAIT_SWAP,    /* fault->in has to be read from swap */
    FAULT_WAIT_PREPARE, /* it needs a place on the disk before it may be written */
};

/*
 * What an answered fault turned out to be. One can be of two kinds: a page that comes back from
 * swap may have to be copied then, and the first store below a stack is also a new page.
 */
enum fault_kind {
    FAULT_ZERO,    /* a page that nobody wrote was read: the frame of zeros */
    FAULT_NEW,     /* the first store to such a page: a frame of its own */
    FAULT_FILE,    /* a page of an object, and it was in memory */
    FAULT_READ,    /* a page of an object that had to be read from its disk */
    FAULT_SWAP,    /* a page that came back from swap */
    FAULT_COPY,    /* a store to a page that others share: copied */
    FAULT_REUSE,   /* a store to a page that nobody shares any more: the write right is back */
    FAULT_STACK,   /* below a stack: it grew */
    FAULT_ENTRY,   /* the page was there, only its entry was missing */
    FAULT_REFUSED, /* an access that is not possible: a signal, or -EFAULT */
    FAULT_KINDS,
};

/* Counts of one space; fault_total: of all since boot. V. */
struct fault_counts {
    uint64_t minor, major; /* answered without waiting for a disk, and with */
    uint64_t kind[FAULT_KINDS];
};
extern struct fault_counts fault_total;
extern const char *const fault_kind_names[FAULT_KINDS];

/* One fault on its way through fault.c, demand.c, stack.c and cow.c. */
struct fault {
    struct space *space;
    vaddr_t va;            /* page-aligned */
    unsigned access;       /* PROT_READ, PROT_WRITE or PROT_EXEC */
    struct region *region; /* found anew in each round */
    struct tlb_batch tlb;
    /* What FAULT_WAIT_READ and FAULT_WAIT_PREPARE wait for, with a reference. */
    struct object *object;
    pgidx_t index;
    struct swap_cluster in;    /* what FAULT_WAIT_SWAP reads */
    bool read_alone;           /* reading neighbours along failed: this page only */
    uint64_t io_count;         /* FAULT_WAIT_BUSY: object_io_count at the time */
    bool prepared;             /* fault->index was prepared for writing in an earlier round */
    bool waited_for_disk;      /* a major fault */
    unsigned kinds;            /* bit n: of enum fault_kind n; set when that has happened */
    const struct frame *frame; /* what was mapped at last */
};

/*
 * vm_fault - make an access possible, or say why it is not.
 *
 * @s:      the address space; the caller holds a reference.
 * @va:     any user address.
 * @access: one of PROT_READ, PROT_WRITE, PROT_EXEC; after an exception with FAULT_ERROR() of the
 *          processor's error code, for the trace.
 * Locks:   none may be held.  Sleeps.
 * Returns: FAULT_DONE, FAULT_MAPERR, FAULT_ACCERR, FAULT_BUSERR or FAULT_NOMEM.
 */
enum fault_result vm_fault(struct space *s, vaddr_t va, unsigned access);
#define FAULT_ERROR(code) ((unsigned)((code)&0xff) << 8)

/*
 * Makes [start, end) present, as far as its regions allow (MAP_POPULATE, mlock). 0 or the
 * errno of the first failure.
 */
int vm_populate(struct space *s, vaddr_t start, vaddr_t end);

/*
 * vm_copy - move @n bytes between kernel memory and a space that need not be the current one.
 *
 * @access: PROT_READ: from @va to @buf; PROT_WRITE: the other way.
 * @n:      at most up to the end of the page that holds @va.
 * Locks:   none may be held.  Sleeps.
 * Returns: 0, or -EFAULT when the space does not allow it.
 */
int vm_copy(struct space *s, vaddr_t va, void *buf, size_t n, unsigned access) MUST_CHECK;

/*
 * vm_explain - the sentence for the log about an access that failed.
 */
void vm_explain(struct space *s, vaddr_t va, unsigned access, enum fault_result why, char *buf,
                size_t size);
