/*
 * tlbcheck.c - each downgrade of an entry, until every processor has forgotten what it was.
 *
 * A record is made where the entry changes, and says which CPUs may remember it.  A CPU is struck
 * off where it forgets: at invlpg or when it loads CR3, not where somebody believes that it has
 * been told.  So a flush that is missing, too late, or sent to too few leaves a record behind.
 * The machine stops when, with such a record there,
 *
 *   - the flush that should have dealt with it is over;
 *   - its frame is handed out again;
 *   - its entry is made present again, or gets more rights: who sees the new one could meet, in
 *     another thread, one who sees the old;
 *   - another thread changes entries: then vm_lock was let go before the flush.
 *
 * SIMPLE: what is more than RECORDS at a time is not followed.
 */
#include "mm/tlbcheck.h"

#include "boot/bootinfo.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/assert.h"
#include "mm/frame.h"
#include "mm/kvmap.h"
#include "mm/pagetable.h"

#define TABLE_PAGES 10
#define RECORDS     (TABLE_PAGES * PAGE_SIZE / sizeof(struct record))

struct record {
    const struct pagetable *pt; /* NULL: the kernel's half */
    vaddr_t va;
    const struct frame *frame;
    const struct thread
        *thread;   /* that made the downgrade, and holds vm_lock until the flush */
    uint32_t cpus; /* bit n: CPU n may remember it */
};

static struct spinlock records_lock = SPINLOCK_INIT("tlbcheck");
static struct record *records; /* NULL: the check is off */
static unsigned nrecords;      /* guarded by records_lock, as what they hold */

void
tlbcheck_init(void)
{
    char value[8];

    if (!boot_option("tlbcheck", value, sizeof(value)))
        return;
    records = kvmap_alloc(TABLE_PAGES);
    if (records == NULL)
        panic("no memory for the table of tlbcheck");
}

static void NORETURN
stop(const struct record *r, const char *what)
{
    panic("tlbcheck: %s while CPU %u may remember the entry of %#lx, which led to frame %#lx",
          what, (unsigned)__builtin_ctz(r->cpus), r->va, frame_addr(r->frame));
}

/* Nobody but this thread has downgrades that are not flushed. vm_lock held. */
static void
check_others(void)
{
    for (unsigned i = 0; i < nrecords; i++)
        if (records[i].pt != NULL && records[i].thread != current_thread())
            stop(&records[i], "vm_lock was let go");
}

static uint32_t
users(const struct pagetable *pt)
{
    return pt == NULL ? (1U << cpu_count) - 1 : __atomic_load_n(&pt->cpus, __ATOMIC_SEQ_CST);
}

uint32_t
tlbcheck_downgraded(const struct pagetable *pt, vaddr_t va, const struct frame *f)
{
    if (likely(records == NULL))
        return users(pt);
    spin_lock(&records_lock);
    if (pt != NULL)
        check_others();

    /*
     * Read once, with the lock held: who leaves the table after that is told all the same, and
     * is struck off before it answers.
     */
    uint32_t who = users(pt);

    if (who != 0 && nrecords < RECORDS)
        records[nrecords++] = (struct record){pt, va, f, current_thread(), who};
    spin_unlock(&records_lock);
    return who;
}

void
tlbcheck_forgot(const struct pagetable *pt, vaddr_t start, vaddr_t end)
{
    if (likely(records == NULL))
        return;
    spin_lock(&records_lock);
    for (unsigned i = 0; i < nrecords;) {
        struct record *r = &records[i];

        if (r->pt == pt && r->va >= start && r->va < end)
            r->cpus &= ~(1U << this_cpu()->id);
        if (r->cpus == 0)
            *r = records[--nrecords];
        else
            i++;
    }
    spin_unlock(&records_lock);
}

void
tlbcheck_flushed(void)
{
    if (likely(records == NULL))
        return;
    spin_lock(&records_lock);
    for (unsigned i = 0; i < nrecords; i++)
        if (records[i].pt != NULL && records[i].thread == current_thread())
            stop(&records[i], "a flush is over");
    spin_unlock(&records_lock);
}

void
tlbcheck_frame(const struct frame *f)
{
    if (likely(records == NULL))
        return;
    spin_lock(&records_lock);
    for (unsigned i = 0; i < nrecords; i++)
        if (records[i].frame == f)
            stop(&records[i], "a frame is handed out again");
    spin_unlock(&records_lock);
}

void
tlbcheck_entry(const struct pagetable *pt, vaddr_t va)
{
    if (likely(records == NULL))
        return;
    spin_lock(&records_lock);
    check_others();
    for (unsigned i = 0; i < nrecords; i++)
        if (records[i].pt == pt && records[i].va == va)
            stop(&records[i], "an entry is used again");
    spin_unlock(&records_lock);
}
