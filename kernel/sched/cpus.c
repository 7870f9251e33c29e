/*
 * cpus.c - the other processors come up and begin to idle.
 *
 * They are started one after the other, so that a number is given only to one that came.
 */
#include "kernel/sched/sched.h"

#include "kernel/arch/acpi.h"
#include "kernel/arch/ap.h"
#include "kernel/arch/apic.h"
#include "kernel/arch/cpu.h"
#include "kernel/lib/printf.h"
#include "kernel/sched/thread.h"
#include "kernel/trace/trace.h"
#include "mm/kmalloc.h"
#include "mm/pagetable.h"

/* What a new CPU gets to stand on. */
struct starting {
    struct cpu *cpu;
    unsigned id;
    struct thread *idle;
};

/* The first C code of a processor, on the stack of its idle thread, interrupts off. */
static void
begin(void *arg)
{
    struct starting s = *(const struct starting *)arg;

    cpu_init(s.cpu, s.id);
    apic_init_cpu();
    sched_init_cpu(s.idle);
    cpu_set_kernel_stack(thread_stack_top(s.idle));
    cpu_online(s.cpu);
    sched_idle();
}

static void
never_entered(void *unused)
{
    (void)unused;
}

static void
start(uint32_t apic_id)
{
    struct starting s = {kzalloc(sizeof(*s.cpu)), cpu_count,
                         thread_create("idle", never_entered, NULL)};

    trace_init_cpu(s.id);
    if (s.cpu != NULL && s.idle != NULL &&
        ap_start(apic_id, thread_stack_top(s.idle), pagetable_kernel_root(), begin, &s))
        return;
    /* SIMPLE: what it was given is lost. */
    kprintf("cpus: the processor with APIC id %u does not start\n", apic_id);
}

void
sched_start_cpus(void)
{
    for (unsigned i = 0; i < acpi_info.ncpus && cpu_count < CPU_MAX; i++)
        if (acpi_info.cpu_apic_ids[i] != cpus[0]->apic_id)
            start(acpi_info.cpu_apic_ids[i]);
    if (cpu_count > 1)
        kprintf("cpus: %u processors\n", cpu_count);
}
