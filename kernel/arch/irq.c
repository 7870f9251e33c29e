/*
 * irq.c - which device an interrupt vector belongs to.
 *
 * Vectors are handed out from IRQ_FIRST up and never come back: drivers live as long
 * as the machine.  Those below belong to the two legacy controllers, which are masked
 * but may still send a spurious interrupt.
 */
#include "kernel/arch/irq.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/apic.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/ioapic.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/printf.h"

#define IRQ_FIRST (IRQ_BASE + 16)

static struct spinlock irq_lock = SPINLOCK_INIT("irq");
static unsigned next_vector = IRQ_FIRST; /* guarded by irq_lock */
static struct {
    irq_handler handler;
    void *arg;
} irqs[IRQ_TIMER]; /* written once, before the device can interrupt */

static uint64_t unexpected;

int
irq_alloc(irq_handler h, void *arg)
{
    int vector = -ENOSPC;

    spin_lock(&irq_lock);
    if (next_vector < IRQ_TIMER) {
        vector = next_vector++;
        irqs[vector].arg = arg;
        irqs[vector].handler = h;
    }
    spin_unlock(&irq_lock);
    return vector;
}

int
irq_route_isa(unsigned line, irq_handler h, void *arg)
{
    int vector = irq_alloc(h, arg);

    if (vector < 0)
        return vector;
    ioapic_route_isa(line, vector);
    return 0;
}

void
irq_dispatch(unsigned vector)
{
    if (vector == IRQ_SPURIOUS)
        return; /* Intel SDM vol. 3A 11.9: without EOI */
    if (vector < ARRAY_SIZE(irqs) && irqs[vector].handler != NULL)
        irqs[vector].handler(irqs[vector].arg);
    else if (unexpected++ == 0)
        kprintf("irq: unexpected interrupt %u; more will not be told\n", vector);
    /* After the handler: a level-triggered line that is still up would strike again at once. */
    apic_eoi();
}

void
irq_dispatch_cpu(struct trapframe *tf, trap_handler h)
{
    this_cpu()->tlb_messages += tf->vector == IRQ_TLB;
    /* Too early: the timer cannot count as far as the alarm was set. */
    if (tf->vector != IRQ_TIMER || clock_alarm_due())
        h(tf);
    apic_eoi();
}
