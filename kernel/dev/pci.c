/*
 * pci.c - finding PCI devices, their registers and their message-signalled interrupts.
 *
 * Owns the table of devices. What a device is good for, its driver knows. Numbers are from the
 * PCI Local Bus Specification 3.0, chapter 6, and for the bridge's bus numbers from the
 * PCI-to-PCI Bridge Architecture Specification 1.2, 3.2.
 */
#include "kernel/dev/pci.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/io.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/printf.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"

#define PCI_DEVICES_MAX 64

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc

#define REG_ID            0x00
#define REG_COMMAND       0x04
#define REG_STATUS        0x06
#define REG_HEADER        0x0e
#define REG_BAR           0x10
#define REG_SECONDARY_BUS 0x19
#define REG_CAPABILITIES  0x34

#define COMMAND_MEMORY    0x0002
#define COMMAND_MASTER    0x0004
#define COMMAND_INTX_OFF  0x0400
#define STATUS_CAP_LIST   0x0010
#define HEADER_TYPE       0x7f
#define HEADER_BRIDGE     0x01
#define HEADER_MULTI      0x80
#define BAR_IO            0x1
#define BAR_TYPE          0x6
#define BAR_64            0x4
#define MSIX_CONTROL      2 /* offsets in the capability */
#define MSIX_TABLE        4
#define MSIX_CONTROL_SIZE 0x07ff
#define MSIX_CONTROL_ON   0x8000
#define MSIX_ENTRY_WORDS  4
#define MSIX_ENTRY_MASKED 1
#define MSI_ADDRESS       0xfee00000U /* Intel SDM vol. 3A 11.11.1 */
#define MSI_DEST_SHIFT    12

static struct pci_device devices[PCI_DEVICES_MAX];
static unsigned device_count;
static bool bus_seen[256];

/* The two ports are one after the other, so nobody may come between. */
static struct spinlock config_lock = SPINLOCK_INIT("pci");

static void
config_select(const struct pci_device *d, unsigned offset)
{
    outl(PORT_ADDRESS, 0x80000000U | (uint32_t)d->bus << 16 | (uint32_t)d->slot << 11 |
                           (uint32_t)d->function << 8 | (offset & 0xfc));
}

uint32_t
pci_read32(const struct pci_device *d, unsigned offset)
{
    uint32_t v;

    spin_lock(&config_lock);
    config_select(d, offset);
    v = inl(PORT_DATA);
    spin_unlock(&config_lock);
    return v;
}

uint16_t
pci_read16(const struct pci_device *d, unsigned offset)
{
    return (uint16_t)(pci_read32(d, offset) >> (offset & 2) * 8);
}

uint8_t
pci_read8(const struct pci_device *d, unsigned offset)
{
    return (uint8_t)(pci_read32(d, offset) >> (offset & 3) * 8);
}

void
pci_write16(const struct pci_device *d, unsigned offset, uint16_t value)
{
    spin_lock(&config_lock);
    config_select(d, offset);
    outw(PORT_DATA + (offset & 2), value);
    spin_unlock(&config_lock);
}

static void scan_bus(uint8_t bus);

static void
add_function(struct pci_device d, uint32_t id)
{
    uint8_t header = pci_read8(&d, REG_HEADER) & HEADER_TYPE;

    d.vendor = (uint16_t)id;
    d.device = (uint16_t)(id >> 16);
    if (device_count < PCI_DEVICES_MAX)
        devices[device_count++] = d;
    else
        kprintf("pci: table full, %02x:%02x.%u left out\n", d.bus, d.slot, d.function);

    if (header == HEADER_BRIDGE)
        scan_bus(pci_read8(&d, REG_SECONDARY_BUS));
}

static void
scan_slot(uint8_t bus, uint8_t slot)
{
    for (uint8_t function = 0; function < 8; function++) {
        struct pci_device d = {.bus = bus, .slot = slot, .function = function};
        uint32_t id = pci_read32(&d, REG_ID);

        if ((id & 0xffff) != 0xffff && (id & 0xffff) != 0)
            add_function(d, id);
        else if (function == 0)
            return;
        if (function == 0 && !(pci_read8(&d, REG_HEADER) & HEADER_MULTI))
            return;
    }
}

/* Depth first through the bridges; each bus once, so that confused bridges make no loop. */
static void
scan_bus(uint8_t bus)
{
    if (bus_seen[bus])
        return;
    bus_seen[bus] = true;
    for (uint8_t slot = 0; slot < 32; slot++)
        scan_slot(bus, slot);
}

unsigned
pci_init(void)
{
    scan_bus(0);
    return device_count;
}

struct pci_device *
pci_find(uint16_t vendor, uint16_t device, uint16_t or_device, const struct pci_device *after)
{
    unsigned i = after == NULL ? 0 : (unsigned)(after - devices) + 1;

    for (; i < device_count; i++)
        if (devices[i].vendor == vendor &&
            (devices[i].device == device || devices[i].device == or_device))
            return &devices[i];
    return NULL;
}

unsigned
pci_capability(const struct pci_device *d, uint8_t id, unsigned after)
{
    unsigned at, steps = 0;

    if (!(pci_read16(d, REG_STATUS) & STATUS_CAP_LIST))
        return 0;
    at = pci_read8(d, after == 0 ? REG_CAPABILITIES : after + 1) & 0xfc;
    while (at >= 0x40 && steps++ < 48) {
        if (pci_read8(d, at) == id)
            return at;
        at = pci_read8(d, at + 1) & 0xfc;
    }
    return 0;
}

paddr_t
pci_bar(const struct pci_device *d, unsigned n)
{
    uint32_t low, high = 0;

    if (n > 5)
        return 0;
    low = pci_read32(d, REG_BAR + 4 * n);
    if (low & BAR_IO)
        return 0;
    if ((low & BAR_TYPE) == BAR_64 && n < 5)
        high = pci_read32(d, REG_BAR + 4 * n + 4);
    return (paddr_t)high << 32 | (low & ~0xfU);
}

void
pci_enable(const struct pci_device *d)
{
    uint16_t command = pci_read16(d, REG_COMMAND);

    pci_write16(d, REG_COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_INTX_OFF);
}

int
pci_msix_enable(struct pci_device *d, irq_handler h, void *arg)
{
    unsigned cap = pci_capability(d, PCI_CAP_MSIX, 0);

    if (cap == 0)
        return -ENODEV;
    uint16_t control = pci_read16(d, cap + MSIX_CONTROL);
    uint32_t where = pci_read32(d, cap + MSIX_TABLE);
    unsigned entries = (control & MSIX_CONTROL_SIZE) + 1;
    paddr_t bar = pci_bar(d, where & 7);
    if (bar == 0)
        return -ENODEV;
    volatile uint32_t *table =
        kvmap_device(bar + (where & ~7U), entries * MSIX_ENTRY_WORDS * 4, false);
    if (table == NULL)
        return -ENOMEM;
    int vector = irq_alloc(h, arg);
    if (vector < 0)
        return vector;

    for (unsigned i = 0; i < entries; i++)
        table[i * MSIX_ENTRY_WORDS + 3] = MSIX_ENTRY_MASKED;
    table[0] = MSI_ADDRESS | cpus[0]->apic_id << MSI_DEST_SHIFT;
    table[1] = 0;
    table[2] = (uint32_t)vector;
    table[3] = 0; /* unmasked last, when the message is whole */
    d->msix = table;
    pci_write16(d, cap + MSIX_CONTROL, control | MSIX_CONTROL_ON);
    return 0;
}

void
pci_msix_here(const struct pci_device *d)
{
    d->msix[0] = MSI_ADDRESS | this_cpu()->apic_id << MSI_DEST_SHIFT;
}
