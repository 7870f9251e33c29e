/*
 * pci.h - finding PCI devices, their registers and their message-signalled interrupts.
 *
 * Configuration space by mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2), which every
 * PC chipset still has; the firmware has numbered the buses and placed the BARs. Every function
 * here but pci_msix_here() is for the boot CPU while it brings devices up.
 */
#pragma once

#include "kernel/arch/trap.h"
#include "kernel/lib/types.h"

#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX   0x11

struct pci_device {
    uint8_t bus, slot, function;
    uint16_t vendor, device;
    volatile uint32_t *msix; /* entry 0 of its table, once pci_msix_enable() is done */
};

/* Finds all functions on all buses, behind bridges too. Returns how many. */
unsigned pci_init(void);

/*
 * pci_find - the first device after @after (NULL: from the start) of that vendor with one of
 * two device ids.
 * Returns: the device, or NULL when there are no more.
 */
struct pci_device *pci_find(uint16_t vendor, uint16_t device, uint16_t or_device,
                            const struct pci_device *after);

/* Configuration space; @offset is below 256 and aligned to the access. */
uint8_t pci_read8(const struct pci_device *d, unsigned offset);
uint16_t pci_read16(const struct pci_device *d, unsigned offset);
uint32_t pci_read32(const struct pci_device *d, unsigned offset);
void pci_write16(const struct pci_device *d, unsigned offset, uint16_t value);

/*
 * pci_capability - walk the capability list.
 * @id:    PCI_CAP_xxx.
 * @after: 0, or the offset returned before.
 * Returns: the next one's offset in configuration space, or 0.  A list that loops ends.
 */
unsigned pci_capability(const struct pci_device *d, uint8_t id, unsigned after);

/* Physical address of memory BAR @n (0..5), 32 or 64 bits; 0 for an I/O or empty one. */
paddr_t pci_bar(const struct pci_device *d, unsigned n);

/* Lets it answer memory accesses and master the bus; its INTx line off. */
void pci_enable(const struct pci_device *d);

/*
 * pci_msix_enable - turn MSI-X on; its entry 0 interrupts the boot CPU, the others are masked.
 * @h, @arg: called with interrupts off; must not sleep.
 * Returns: 0; -ENODEV without MSI-X; -ENOMEM; -ENOSPC without a free vector.
 */
int pci_msix_enable(struct pci_device *d, irq_handler h, void *arg) MUST_CHECK;

/* From now on entry 0 interrupts this CPU. Interrupts off. */
void pci_msix_here(const struct pci_device *d);
