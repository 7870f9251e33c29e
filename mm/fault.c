/*
 * fault.c - vm_fault(): decide what a fault means, and send it to who answers it.
 *
 * One round: find the region (or let a stack grow), judge the access, let
 * demand.c map the page.  If the round must wait, for a disk, a busy frame or
 * memory, everything is let go of first, and after the wait the whole fault begins
 * again from the region: nothing read before the wait is used after it.
 *
 *            +--------------------------------------------+
 *            v                                            |
 *     find region --> access allowed? --> demand_page --> wait
 *            |               |                |
 *         MAPERR          ACCERR        DONE or BUSERR
 *
 * Called by the #PF handler in proc/ and by vm_populate.
 */
#include "mm/fault.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/trace/trace.h"
#include "mm/demand.h"
#include "mm/frame.h"
#include "mm/object.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/stack.h"

struct fault_counts fault_total;

const char *const fault_kind_names[FAULT_KINDS] = {
    [FAULT_ZERO] = "zero",        [FAULT_NEW] = "new",     [FAULT_FILE] = "file",
    [FAULT_READ] = "read",        [FAULT_SWAP] = "swap",   [FAULT_COPY] = "cow_copies",
    [FAULT_REUSE] = "cow_reuses", [FAULT_STACK] = "stack", [FAULT_ENTRY] = "entry",
    [FAULT_REFUSED] = "refused",
};

/* vm_lock held. */
static void
count_kinds(struct space *s, unsigned kinds)
{
    for (; kinds != 0; kinds &= kinds - 1) {
        int k = __builtin_ctz(kinds);

        s->faults.kind[k]++;
        fault_total.kind[k]++;
    }
}

/* The access will succeed now. vm_lock held. */
static void
count_answered(struct fault *f)
{
    struct space *s = f->space;

    if (f->kinds == 0)
        f->kinds = 1U << FAULT_ENTRY;
    count_kinds(s, f->kinds);
    *(f->waited_for_disk ? &s->faults.major : &s->faults.minor) += 1;
    *(f->waited_for_disk ? &fault_total.major : &fault_total.minor) += 1;
    s->resident_peak = MAX(s->resident_peak, s->resident_anon + s->resident_file);
}

/* It will not. Whom there was no memory for is not counted. */
static void
count_refused(struct fault *f, enum fault_result why)
{
    struct space *s = f->space;

    f->kinds = 0;
    f->frame = NULL;
    if (why != FAULT_NOMEM) {
        mutex_lock(&vm_lock);
        count_kinds(s, 1U << FAULT_REFUSED);
        mutex_unlock(&vm_lock);
        f->kinds = 1U << FAULT_REFUSED;
    }
}

/*
 * Finds the region that the access is about; FAULT_DONE if it allows it. space->lock held.
 *
 * x86 cannot map a page for writing or fetching that is not readable;
 * PROT_EXEC alone reads, as on Linux.
 */
static enum fault_result
judge(struct fault *f)
{
    // LAB fault/1 begin -- @lenient
    f->region = space_find(f->space, f->va);
    if (f->region == NULL) {
        f->region = stack_grow(f->space, f->va);
        if (f->region == NULL)
            return FAULT_MAPERR;
        f->kinds |= 1U << FAULT_STACK;
    }

    unsigned prot = f->region->prot;
    bool allowed = f->access == PROT_READ ? prot != PROT_NONE : (prot & f->access) != 0;

    return allowed ? FAULT_DONE : FAULT_ACCERR;
    // LAB end
}

/* One round. Holds no lock when it returns. */
static enum fault_result
fault_round(struct fault *f)
{
    struct space *s = f->space;

    mutex_lock(&s->lock);
    enum fault_result result = judge(f);

    if (result == FAULT_DONE) {
        mutex_lock(&vm_lock);
        result = demand_page(f);
        f->io_count = object_io_count;
        tlb_flush(&f->tlb);
        if (result == FAULT_DONE)
            count_answered(f);
        mutex_unlock(&vm_lock);
    }
    mutex_unlock(&s->lock);
    return result;
}

/*
 * Waits for what a round said it needs, with no lock held. Returns FAULT_DONE
 * to begin again, or an end.
 */
static enum fault_result
fault_wait(struct fault *f, enum fault_result what)
{
    int err = 0;

    switch (what) {
    case FAULT_WAIT_BUSY:
        object_wait_io(f->io_count);
        break;
    case FAULT_WAIT_MEMORY:
        if (reclaim_wait(f->space) != 0)
            return FAULT_NOMEM;
        break;
    case FAULT_WAIT_READ:
        f->waited_for_disk = true;
        f->kinds |= 1U << FAULT_READ;
        err = object_read_in(f->object, f->index);
        object_put(f->object);
        break;
    case FAULT_WAIT_SWAP:
        f->waited_for_disk = true;
        f->kinds |= 1U << FAULT_SWAP;
        what = f->in.n > 1 ? FAULT_WAIT_SWAP : FAULT_DONE;
        err = swap_in_finish(&f->in);
        if (err != 0 && what == FAULT_WAIT_SWAP) { /* it may have been a neighbour's slot */
            f->read_alone = true;
            err = 0;
        }
        break;
    case FAULT_WAIT_PREPARE:
        reclaim_throttle();
        err = f->object->ops->prepare_write(f->object, f->index);
        object_put(f->object);
        f->prepared = true;
        break;
    default:
        return what;
    }
    if (err == -ENOMEM)
        return reclaim_wait(f->space) == 0 ? FAULT_DONE : FAULT_NOMEM;
    return err == 0 ? FAULT_DONE : FAULT_BUSERR;
}

/* Rounds and waits until the access can be had, or not. */
static enum fault_result
fault_rounds(struct fault *f)
{
    for (;;) {
        enum fault_result r = fault_round(f);

        if (r == FAULT_DONE)
            return r;
        if (r >= FAULT_WAIT_BUSY)
            r = fault_wait(f, r);
        if (r != FAULT_DONE)
            return r;
        if (f->space->dying)
            return FAULT_NOMEM;
    }
}

/* For the trace. @error: the processor's, 0 where it was no exception that asked. */
static void
record(const struct fault *f, vaddr_t va, unsigned error, uint64_t began)
{
    if (!unlikely(trace_on))
        return;
    error |= f->access & PROT_WRITE ? PF_WRITE : f->access & PROT_EXEC ? PF_FETCH : 0;
    trace_fault(error, va, f->kinds, f->frame == NULL ? 0 : frame_number(f->frame),
                clock_cycles() - began);
}

enum fault_result
vm_fault(struct space *s, vaddr_t va, unsigned access)
{
    struct fault f; /* mostly room for what few faults need: not to be cleared each time */
    uint64_t began = trace_begin();
    enum fault_result r;

    f.space = s;
    f.va = page_floor(va);
    f.access = access & 0xff;
    f.read_alone = f.prepared = f.waited_for_disk = false;
    f.kinds = 0;
    f.frame = NULL;
    tlb_batch_init(&f.tlb);
    r = va >= USER_TOP ? FAULT_MAPERR : fault_rounds(&f);
    if (r != FAULT_DONE)
        count_refused(&f, r);
    record(&f, va, access >> 8, began);
    return r;
}

int
vm_populate(struct space *s, vaddr_t start, vaddr_t end)
{
    for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
        mutex_lock(&s->lock);
        struct region *r = space_find(s, va);
        unsigned prot = r == NULL ? PROT_NONE : r->prot;
        bool write = r != NULL && (prot & PROT_WRITE) && !(r->shared && r->object != NULL);
        vaddr_t region_end = r == NULL ? end : r->end;
        mutex_unlock(&s->lock);

        if (s->dying)
            return -ENOMEM;
        sched_preempt(); /* the range may be all there is */

        if (r == NULL)
            return -ENOMEM;
        if (prot == PROT_NONE) {
            va = region_end - PAGE_SIZE;
            continue;
        }
        switch (vm_fault(s, va, write ? PROT_WRITE : PROT_READ)) {
        case FAULT_DONE:
            break;
        case FAULT_BUSERR:
            return -EFAULT;
        default:
            return -ENOMEM;
        }
    }
    return 0;
}

/* The same as vm_copy, if the page table allows it just now. */
static bool
try_copy(struct space *s, vaddr_t va, void *buf, size_t n, unsigned access)
{
    mutex_lock(&vm_lock);
    const pte_t *e = pagetable_find(&s->pt, va);
    bool ready = e != NULL && pte_present(*e) && (access == PROT_READ || pte_writable(*e));

    if (ready) {
        struct frame *f = frame_of(pte_addr(*e));
        char *page = (char *)frame_data(f) + (va & PAGE_MASK);

        if (access == PROT_READ)
            memcpy(buf, page, n);
        else
            memcpy(page, buf, n);
        /* No D bit tells of this store.  A file's page is dirty while it is writable. */
        if (access == PROT_WRITE && f->owner == FRAME_ANON)
            f->dirty = true;
    }
    mutex_unlock(&vm_lock);
    return ready;
}

int
vm_copy(struct space *s, vaddr_t va, void *buf, size_t n, unsigned access)
{
    ASSERT(n <= PAGE_SIZE - (va & PAGE_MASK));
    while (!try_copy(s, va, buf, n, access))
        if (vm_fault(s, va, access) != FAULT_DONE)
            return -EFAULT;
    return 0;
}

/* The region nearest to @va, for the sentence; space->lock held. */
static const struct region *
nearest_region(struct space *s, vaddr_t va)
{
    struct region *above = space_find_from(s, va);
    struct region *below =
        above != NULL ? region_prev(s, above) : list_last(&s->regions, struct region, link);

    if (above == NULL || (above->start <= va && va < above->end))
        return above != NULL ? above : below;
    if (below == NULL || above->start - va < va - below->end)
        return above;
    return below;
}

static const char *
region_noun(const struct space *s, const struct region *r)
{
    if (r->grows_down)
        return "the stack";
    if (r->heap)
        return "the heap";
    if (r->object == NULL)
        return "anonymous memory";
    if (r->start < s->code_end && r->end > s->code_start)
        return "the program";
    return r->object->kind == OBJECT_SHM ? "shared memory" : "a mapped file";
}

void
vm_explain(struct space *s, vaddr_t va, unsigned access, enum fault_result why, char *buf,
           size_t size)
{
    const char *verb = access == PROT_WRITE  ? "write to"
                       : access == PROT_EXEC ? "run code at"
                                             : "read from";
    char where[112] = "nothing is mapped at all";
    bool file = false;

    mutex_lock(&s->lock);
    const struct region *r = nearest_region(s, va);

    if (r != NULL) {
        char rights[4] = {r->prot & PROT_READ ? 'r' : '-', r->prot & PROT_WRITE ? 'w' : '-',
                          r->prot & PROT_EXEC ? 'x' : '-', 0};
        bool inside = r->start <= va && va < r->end;

        file = r->object != NULL;
        snprintf(where, sizeof(where), "%s %s %#lx-%#lx (%s)",
                 inside         ? "it lies in"
                 : va >= r->end ? "the nearest region ends below it:"
                                : "the nearest region begins above it:",
                 region_noun(s, r), r->start, r->end, rights);
    }
    mutex_unlock(&s->lock);
    snprintf(buf, size, "tried to %s %#lx: %s; %s", verb, va,
             why == FAULT_ACCERR ? "that is not allowed there"
             : why == FAULT_BUSERR
                 ? (file ? "it lies beyond the end of the file, or the disk failed"
                         : "it is in swap, and the disk failed")
             : why == FAULT_NOMEM ? "there was no memory left"
             : va >= USER_TOP     ? "no program may use that address"
             : va < USER_BOTTOM   ? "a NULL pointer, or close to it"
                                  : "nothing is mapped there",
             where);
}
