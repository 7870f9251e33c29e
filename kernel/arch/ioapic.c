/*
 * ioapic.c - redirection entries of the I/O APICs (Intel 82093AA data sheet).
 *
 * Two registers are seen: one selects, the other is the window on the selected one.
 */
#include "kernel/arch/ioapic.h"

#include "kernel/arch/acpi.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/assert.h"

#define SELECT      (0x00 / 4)
#define WINDOW      (0x10 / 4)
#define REG_VERSION 0x01
#define REG_ENTRY   0x10 /* two registers for each input */

#define ENTRY_ACTIVE_LOW (1U << 13)
#define ENTRY_LEVEL      (1U << 15)
#define ENTRY_MASKED     (1U << 16)

static struct {
    volatile uint32_t *regs;
    uint32_t gsi_base;
    unsigned inputs;
} ioapics[ACPI_IOAPICS_MAX];

static struct spinlock ioapic_lock = SPINLOCK_INIT("ioapic"); /* guards the select registers */

static uint32_t
ioapic_read(volatile uint32_t *regs, unsigned reg)
{
    regs[SELECT] = reg;
    return regs[WINDOW];
}

static void
ioapic_write(volatile uint32_t *regs, unsigned reg, uint32_t v)
{
    regs[SELECT] = reg;
    regs[WINDOW] = v;
}

void
ioapic_init(void *(*map)(paddr_t pa, size_t len))
{
    for (unsigned i = 0; i < acpi_info.nioapics; i++) {
        volatile uint32_t *regs = map(acpi_info.ioapics[i].addr, PAGE_SIZE);

        if (regs == NULL)
            panic("no memory to map the I/O APIC");
        ioapics[i].regs = regs;
        ioapics[i].gsi_base = acpi_info.ioapics[i].gsi_base;
        ioapics[i].inputs = (ioapic_read(regs, REG_VERSION) >> 16 & 0xff) + 1;
        for (unsigned n = 0; n < ioapics[i].inputs; n++)
            ioapic_write(regs, REG_ENTRY + 2 * n, ENTRY_MASKED);
    }
}

void
ioapic_route_isa(unsigned line, unsigned vector)
{
    ASSERT(line < ACPI_ISA_LINES);

    const struct acpi_isa *isa = &acpi_info.isa[line];
    uint32_t low =
        vector | (isa->active_low ? ENTRY_ACTIVE_LOW : 0) | (isa->level ? ENTRY_LEVEL : 0);

    for (unsigned i = 0; i < acpi_info.nioapics; i++) {
        unsigned n = isa->gsi - ioapics[i].gsi_base; /* huge when it is not this one's */

        if (n >= ioapics[i].inputs)
            continue;
        spin_lock(&ioapic_lock);
        /* The target first: the second write lets interrupts through. */
        ioapic_write(ioapics[i].regs, REG_ENTRY + 2 * n + 1, cpus[0]->apic_id << 24);
        ioapic_write(ioapics[i].regs, REG_ENTRY + 2 * n, low);
        spin_unlock(&ioapic_lock);
    }
}
