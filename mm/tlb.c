/*
 * tlb.c - TLB invalidation, in batches, on every processor that may remember.
 *
 * Only a CPU whose bit is set in pagetable->cpus can hold entries of a user
 * space: the bit is set before CR3 is loaded and cleared after another table is loaded, and
 * loading CR3 forgets everything that is not global (Intel SDM vol. 3A 4.10.4.1).
 *
 * A shootdown is one message to all that are asked.  It lies in a mailbox that one CPU owns at a
 * time, until all have answered.  Who waits, for the mailbox or for answers, has interrupts on and
 * no spin lock, so it answers others meanwhile: two that shoot at each other both get on.
 *
 * Called by all that takes entries away, with vm_lock held.
 */
#include "mm/tlb.h"

#include "kernel/arch/apic.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/lockorder.h"
#include "kernel/arch/spinlock.h"
#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"
#include "kernel/trace/trace.h"
#include "mm/frame.h"
#include "mm/pagetable.h"
#include "mm/tlbcheck.h"

#define ANSWER_LIMIT (60 * NSEC_PER_SEC)

struct tlb_stats tlb_stats;

static struct {
    uint32_t taken;                /* A: it has an owner */
    uint32_t pending;              /* A: CPUs that have not answered */
    const struct tlb_batch *batch; /* what to forget; NULL: of the kernel's half, */
    vaddr_t kernel_start;          /* this */
    unsigned kernel_pages;
} mailbox;

static void
count(uint64_t *what, uint64_t n)
{
    __atomic_fetch_add(what, n, __ATOMIC_RELAXED);
}

/* ---- on the CPU that forgets ---- */

/* For the trace: a message comes as an interrupt. */
static unsigned
who_asked(void)
{
    return this_cpu()->irq_depth > 0 ? TRACE_ASKED_ANOTHER_CPU : TRACE_ASKED_ITSELF;
}

/* Everything of the table that is loaded here. */
static void
forget_all(void)
{
    write_cr3(read_cr3());
    trace_tlb_flush(who_asked(), 0, 0);
    tlbcheck_forgot(this_cpu()->loaded, 0, USER_TOP);
    count(&tlb_stats.all, 1);
}

/* One page of the table that is loaded here. */
static void
forget_page(vaddr_t va)
{
    invlpg(va);
    tlbcheck_forgot(this_cpu()->loaded, va, va + PAGE_SIZE);
    count(&tlb_stats.pages, 1);
}

static void
forget_batch(const struct tlb_batch *b)
{
    // LAB tlb/3 begin -- @forget
    const struct pagetable *mine = this_cpu()->loaded;
    vaddr_t first = 0;
    unsigned n = 0;

    if (b->all) {
        forget_all();
        return;
    }
    for (unsigned i = 0; i < b->n; i++)
        if (b->pages[i].pt == mine) {
            forget_page(b->pages[i].va);
            first = n++ == 0 ? b->pages[i].va : first;
        }
    if (n > 0)
        trace_tlb_flush(who_asked(), first, n);
    // LAB end
}

static void
forget_kernel(vaddr_t va, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        invlpg(va + i * PAGE_SIZE);
    tlbcheck_forgot(NULL, va, va + pages * PAGE_SIZE);
    trace_tlb_flush(who_asked(), va, pages);
}

/* The message has come. */
static void
on_message(struct trapframe *tf UNUSED)
{
    // LAB tlb/4 begin -- @message
    uint32_t me = 1U << this_cpu()->id;

    if (!(__atomic_load_n(&mailbox.pending, __ATOMIC_ACQUIRE) & me))
        return;
    if (mailbox.batch != NULL)
        forget_batch(mailbox.batch);
    else
        forget_kernel(mailbox.kernel_start, mailbox.kernel_pages);
    __atomic_and_fetch(&mailbox.pending, ~me, __ATOMIC_RELEASE);
    // LAB end
}

/* ---- on the CPU that asks ---- */

static void
mailbox_take(void)
{
    ASSERT(irq_enabled());
    // LAB tlb/4 begin
    while (__atomic_exchange_n(&mailbox.taken, 1, __ATOMIC_ACQUIRE) != 0)
        cpu_relax();
    // LAB end
}

static void
await_answers(void)
{
    nsec_t since = clock_now();
    uint32_t left;

    while ((left = __atomic_load_n(&mailbox.pending, __ATOMIC_ACQUIRE)) != 0) {
        if (clock_now() - since > ANSWER_LIMIT)
            panic("TLB shootdown: CPU %u has not answered for more than a minute",
                  (unsigned)__builtin_ctz(left));
        cpu_relax();
    }
}

/* What is known outside of who is asked, and for how many pages (0: for all). */
static void
note_shootdown(uint32_t asked, unsigned pages)
{
    unsigned n = 0;

    for (uint32_t left = asked; left != 0; left &= left - 1)
        n++;
    count(&tlb_stats.shootdowns, 1);
    count(&tlb_stats.messages, n);
    trace_shootdown(n, asked, pages);
}

/* Sends what is in the mailbox to @asked, waits until all have done it, and gives the box up. */
static void
mailbox_send(uint32_t asked)
{
    const struct tlb_batch *b = mailbox.batch;

    note_shootdown(asked, b == NULL ? mailbox.kernel_pages : b->all ? 0 : b->n);
    // LAB tlb/4 begin -- @send
    __atomic_store_n(&mailbox.pending, asked, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < cpu_count; i++)
        if (asked & 1U << i)
            apic_send(cpus[i]->apic_id, IRQ_TLB);
    await_answers();
    __atomic_store_n(&mailbox.taken, 0, __ATOMIC_RELEASE);
    // LAB end
}

void
tlb_batch_init(struct tlb_batch *b)
{
    b->n = 0;
    b->all = false;
    b->cpus = 0;
    b->nframes = 0;
    list_init(&b->frames);
}

void
tlb_batch_add(struct tlb_batch *b, struct pagetable *pt, vaddr_t va, const struct frame *f)
{
    uint32_t users = tlbcheck_downgraded(pt, va, f);

    // LAB tlb/2 begin -- @everybody
    if (users == 0)
        return; /* no CPU has it loaded, so none remembers it */
    b->cpus |= users;
    if (b->n == TLB_BATCH_MAX) {
        b->all = true;
        return;
    }
    b->pages[b->n].pt = pt;
    b->pages[b->n].va = va;
    b->n++;
    // LAB end
}

void
tlb_batch_free(struct tlb_batch *b, struct frame *f)
{
    list_push_back(&b->frames, &f->link);
    b->nframes++;
}

void
tlb_flush(struct tlb_batch *b)
{
    lock_may_wait();
    // LAB tlb/3 begin -- @flush
    uint32_t me = 1U << this_cpu()->id;
    struct list *l;

    if (b->cpus & me)
        forget_batch(b);
    if (b->cpus & ~me) {
        mailbox_take();
        mailbox.batch = b;
        mailbox_send(b->cpus & ~me);
    }
    /* Last: who gets one of them may fill it while another CPU still remembers the way there. */
    while ((l = list_pop_front(&b->frames)) != NULL)
        frame_free(list_entry(l, struct frame, link));
    // LAB end
    tlb_batch_init(b);
    tlbcheck_flushed();
}

void
tlb_flush_kernel(vaddr_t va, unsigned pages)
{
    forget_kernel(va, pages);
    if (cpu_count == 1)
        return;
    lock_may_wait();
    mailbox_take();
    mailbox.batch = NULL;
    mailbox.kernel_start = va;
    mailbox.kernel_pages = pages;
    /* Kernel threads do not move while they run: this is still the CPU that forgot above. */
    mailbox_send(((1U << cpu_count) - 1) & ~(1U << this_cpu()->id));
}

void
tlb_init(void)
{
    trap_set_handler(IRQ_TLB, on_message);
}
