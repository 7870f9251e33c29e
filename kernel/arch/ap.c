/*
 * ap.c - the messages that start, hold and stop the other processors.
 *
 * Source: Intel SDM vol. 3A 8.4.4.1 "Typical BSP Initialization Sequence": INIT, 10 ms, start-up,
 * 200 us, start-up again for those that slept through the first.
 */
#include "kernel/arch/ap.h"

#include "kernel/arch/apic.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"
#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "mm/layout.h"

#define AP_PAGE          0x8000 /* below 1 MiB, which nobody else uses; ap.asm knows it too */
#define AP_PARAMETERS_AT 0xf00
#define START_LIMIT      (10 * NSEC_PER_SEC)
#define NOBODY           UINT32_MAX
#define STOP_LIMIT       (100 * NSEC_PER_MSEC)

/* What ap.asm reads, behind the code. */
struct ap_parameters {
    uint64_t boot_root, kernel_root;
    vaddr_t stack_top;
    void (*entry)(void *);
    void *arg;
    uint32_t offered_to; /* A: the APIC id of who may take all this, and makes it NOBODY */
};

STATIC_ASSERT(offsetof(struct ap_parameters, offered_to) == 40);

extern const char ap_code[], ap_code_end[], boot_pml4[];

static void
pause_for(nsec_t time)
{
    for (nsec_t end = clock_now() + time; clock_now() < end;)
        cpu_relax();
}

static bool
await_online(unsigned count, nsec_t time)
{
    for (nsec_t since = clock_now(); clock_now() - since < time;) {
        if (__atomic_load_n(&cpu_count, __ATOMIC_ACQUIRE) > count)
            return true;
        cpu_relax();
    }
    return false;
}

/*
 * A processor that is started may come at any time: INIT does not take the message back under QEMU.
 * Returns false if it came just now, else when it comes it will halt.
 */
static bool
withdraw(struct ap_parameters *p, uint32_t apic_id)
{
    return __atomic_compare_exchange_n(&p->offered_to, &apic_id, NOBODY, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool
ap_start(uint32_t apic_id, vaddr_t stack_top, paddr_t kernel_root, void (*entry)(void *),
         void *arg)
{
    char *page = phys_to_virt(AP_PAGE);
    struct ap_parameters *p = (struct ap_parameters *)(page + AP_PARAMETERS_AT);
    unsigned before = cpu_count;

    ASSERT(ap_code_end - ap_code <= AP_PARAMETERS_AT);
    memcpy(page, ap_code, (size_t)(ap_code_end - ap_code));
    *p = (struct ap_parameters){.boot_root = (vaddr_t)boot_pml4 - KERNEL_BASE,
                                .kernel_root = kernel_root,
                                .stack_top = stack_top,
                                .entry = entry,
                                .arg = arg,
                                .offered_to = apic_id};
    apic_send(apic_id, APIC_INIT);
    pause_for(10 * NSEC_PER_MSEC);
    apic_send(apic_id, APIC_STARTUP | AP_PAGE >> PAGE_SHIFT);
    if (await_online(before, 200 * NSEC_PER_USEC))
        return true;
    apic_send(apic_id, APIC_STARTUP | AP_PAGE >> PAGE_SHIFT);
    if (await_online(before, START_LIMIT))
        return true;
    if (withdraw(p, apic_id))
        return false;
    return await_online(before, UINT64_MAX);
}

/* ---- standing still ---- */

static struct {
    struct cpu *owner; /* A: until the last has gone on; NULL: nobody's */
    bool on;           /* A: the others are to stand still */
    uint32_t held;     /* A: CPUs that do */
} hold;

static void
on_hold(struct trapframe *tf UNUSED)
{
    if (!__atomic_load_n(&hold.on, __ATOMIC_ACQUIRE))
        return;
    apic_eoi(); /* other interrupts come in between; a second one for this does no harm */
    clock_hold_alarm();
    __atomic_add_fetch(&hold.held, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&hold.on, __ATOMIC_ACQUIRE))
        cpu_halt_until_interrupt();
    clock_release_alarm();
    __atomic_sub_fetch(&hold.held, 1, __ATOMIC_SEQ_CST);
}

static void
message_others(uint32_t command)
{
    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i] != this_cpu())
            apic_send(cpus[i]->apic_id, command);
}

void
ap_hold_others(void)
{
    struct cpu *nobody = NULL;

    if (cpu_count == 1)
        return;
    ASSERT(irq_enabled()); /* another CPU may be about to hold this one */
    while (!__atomic_compare_exchange_n(&hold.owner, &nobody, this_cpu(), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        nobody = NULL;
        cpu_relax();
    }
    __atomic_store_n(&hold.on, true, __ATOMIC_SEQ_CST);
    message_others(IRQ_HOLD);
    while (__atomic_load_n(&hold.held, __ATOMIC_ACQUIRE) != cpu_count - 1)
        cpu_relax();
    clock_stop();
}

void
ap_release_others(void)
{
    if (cpu_count == 1)
        return;
    clock_go_on();
    __atomic_store_n(&hold.on, false, __ATOMIC_SEQ_CST);
    message_others(IRQ_RESCHED);
    while (__atomic_load_n(&hold.held, __ATOMIC_ACQUIRE) != 0)
        cpu_relax();
    /* Only now: who stands still for us must not be counted by the next owner. */
    __atomic_store_n(&hold.owner, NULL, __ATOMIC_SEQ_CST);
}

void
ap_init(void)
{
    trap_set_handler(IRQ_HOLD, on_hold);
}

/* ---- stopping for ever ---- */

void
ap_stop_others(void)
{
    clock_go_on(); /* whoever stopped it: it is to count the time */

    nsec_t end = clock_now() + STOP_LIMIT;

    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i] != this_cpu())
            apic_send(cpus[i]->apic_id, APIC_NMI);
    for (unsigned i = 0; i < cpu_count; i++)
        while (cpus[i] != this_cpu() && READ_ONCE(cpus[i]->stopped_rip) == 0 &&
               clock_now() < end)
            cpu_relax();
}

void
ap_stop_here(const struct trapframe *tf)
{
    struct cpu *c = this_cpu();

    if (tf != NULL) {
        c->stopped_rbp = tf->rbp;
        __atomic_store_n(&c->stopped_rip, tf->rip, __ATOMIC_RELEASE);
    }
    for (;;)
        __asm__ volatile("cli; hlt");
}
