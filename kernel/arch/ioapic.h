/*
 * ioapic.h - the I/O APICs, which turn interrupt lines into messages to a local APIC.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * Maps every I/O APIC of acpi_info with @map and masks all inputs.  Panics if
 * one cannot be mapped.
 */
void ioapic_init(void *(*map)(paddr_t pa, size_t len));

/*
 * ioapic_route_isa - let an ISA line interrupt the boot CPU.
 * @line: 0 .. 15.  @vector: from irq_alloc.
 * Any context.
 */
void ioapic_route_isa(unsigned line, unsigned vector);
