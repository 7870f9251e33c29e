/*
 * acpi.h - the few facts that the kernel takes from the firmware's ACPI tables.
 *
 * Read once, under the boot page tables, because the tables may lie in memory that the
 * kernel's own page table does not map.  Where a table is missing or damaged the
 * facts are those of every PC.
 */
#pragma once

#include "kernel/arch/cpu.h"

#define ACPI_IOAPICS_MAX 4
#define ACPI_ISA_LINES   16

struct acpi_ioapic {
    paddr_t addr;
    uint32_t gsi_base; /* number of its first input */
};

/* Where an ISA interrupt line really goes, and MADT's flags for it (ACPI 6.4, 5.2.12.5). */
struct acpi_isa {
    uint32_t gsi;
    bool active_low, level;
};

struct acpi_info {
    bool present;
    paddr_t lapic;
    uint32_t cpu_apic_ids[CPU_MAX]; /* of usable processors, the first CPU_MAX */
    unsigned ncpus;                 /* at least 1 when there is a MADT */
    struct acpi_ioapic ioapics[ACPI_IOAPICS_MAX];
    unsigned nioapics;
    struct acpi_isa isa[ACPI_ISA_LINES];
    /*
     * Power-off: ports of the PM1 control registers (0: none) and what to write for state S5.
     */
    uint16_t pm1a, pm1b;
    uint8_t s5_a, s5_b;
    bool s5_known;
    uint16_t smi_command; /* port, 0: ACPI mode is always on */
    uint8_t acpi_enable;  /* what to write there */
};

extern struct acpi_info acpi_info;

/*
 * acpi_init - read the tables.
 * @rsdp: physical address of the root pointer, below 4 GiB and in the direct map; 0: none.
 */
void acpi_init(paddr_t rsdp);
