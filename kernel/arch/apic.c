/*
 * apic.c - the local APIC, through memory or, if the firmware turned x2APIC on, through MSRs.
 *
 * Source: Intel SDM vol. 3A chapter 11 "Advanced Programmable Interrupt Controller";
 * Intel 8259A data sheet for putting the legacy controllers to sleep.
 */
#include "kernel/arch/apic.h"

#include "kernel/arch/acpi.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/io.h"
#include "kernel/arch/ioapic.h"
#include "kernel/arch/spinlock.h"
#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2  (1UL << 10)
#define APIC_BASE_ON  (1UL << 11)
#define MSR_X2APIC    0x800 /* plus register / 16 */

/* Registers, by their offset in memory. */
#define REG_ID           0x020
#define REG_TPR          0x080
#define REG_EOI          0x0b0
#define REG_SPURIOUS     0x0f0
#define REG_COMMAND      0x300
#define REG_COMMAND_TO   0x310
#define REG_LVT_TIMER    0x320
#define REG_LVT_LINT0    0x350
#define REG_LVT_LINT1    0x360
#define REG_LVT_ERROR    0x370
#define REG_TIMER_START  0x380
#define REG_TIMER_LEFT   0x390
#define REG_TIMER_DIVIDE 0x3e0

#define COMMAND_PENDING (1U << 12)
#define SPURIOUS_ENABLE (1U << 8)
#define LVT_MASKED      (1U << 16)
#define LVT_NMI         (4U << 8)
#define TIMER_DIVIDE_16 3

#define PIC1 0x20
#define PIC2 0xa0

static volatile uint32_t *regs; /* NULL with x2APIC */

static uint32_t
apic_read(unsigned reg)
{
    return regs != NULL ? regs[reg / 4] : (uint32_t)rdmsr(MSR_X2APIC + reg / 16);
}

static void
apic_write(unsigned reg, uint32_t v)
{
    if (regs != NULL)
        regs[reg / 4] = v;
    else
        wrmsr(MSR_X2APIC + reg / 16, v);
}

/*
 * Masked is not dead: the 8259 may still send a spurious interrupt 7, so both are first
 * moved off the exceptions' vectors.
 */
static void
mask_legacy_controllers(void)
{
    outb(PIC1, 0x11); /* ICW1: initialize, ICW4 follows */
    outb(PIC2, 0x11);
    outb(PIC1 + 1, IRQ_BASE); /* ICW2: vectors */
    outb(PIC2 + 1, IRQ_BASE + 8);
    outb(PIC1 + 1, 4); /* ICW3: the second hangs on line 2 of the first */
    outb(PIC2 + 1, 2);
    outb(PIC1 + 1, 1); /* ICW4: 8086 mode */
    outb(PIC2 + 1, 1);
    outb(PIC1 + 1, 0xff);
    outb(PIC2 + 1, 0xff);
}

void
apic_init_cpu(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (!(base & APIC_BASE_ON) || (regs == NULL && !(base & APIC_BASE_X2)))
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ON | (regs == NULL ? APIC_BASE_X2 : 0));
    this_cpu()->apic_id = regs != NULL ? apic_read(REG_ID) >> 24 : apic_read(REG_ID);
    apic_write(REG_TPR, 0);
    apic_write(REG_LVT_LINT0, LVT_MASKED); /* the legacy controllers' way in */
    apic_write(REG_LVT_LINT1, LVT_NMI);
    apic_write(REG_LVT_ERROR, LVT_MASKED);
    apic_write(REG_TIMER_DIVIDE, TIMER_DIVIDE_16);
    apic_write(REG_LVT_TIMER, IRQ_TIMER); /* one-shot */
    apic_write(REG_TIMER_START, 0);
    apic_write(REG_SPURIOUS, SPURIOUS_ENABLE | IRQ_SPURIOUS);
}

void
apic_init(void *(*map)(paddr_t pa, size_t len))
{
    mask_legacy_controllers();
    if (!(rdmsr(MSR_APIC_BASE) & APIC_BASE_X2)) {
        regs = map(acpi_info.lapic, PAGE_SIZE);
        if (regs == NULL)
            panic("no memory to map the local APIC");
    }
    apic_init_cpu();
    ioapic_init(map);
}

void
apic_eoi(void)
{
    apic_write(REG_EOI, 0);
}

void
apic_send(uint32_t apic_id, uint32_t command)
{
    irq_push_off(); /* the two halves are one message */
    if (regs == NULL) {
        wrmsr(MSR_X2APIC + REG_COMMAND / 16, (uint64_t)apic_id << 32 | command);
    } else {
        while (apic_read(REG_COMMAND) & COMMAND_PENDING)
            cpu_relax();
        apic_write(REG_COMMAND_TO, apic_id << 24);
        apic_write(REG_COMMAND, command);
    }
    irq_pop_off();
}

void
apic_timer_start(uint32_t steps)
{
    apic_write(REG_TIMER_START, steps);
}

uint32_t
apic_timer_left(void)
{
    return apic_read(REG_TIMER_LEFT);
}
