/*
 * apic.h - the local APIC: this processor's own interrupts, its timer, and
 * messages to the others.
 *
 * All but apic_init() is for the CPU that calls it.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * apic_init - mask the legacy controllers, map and enable the local APIC and the I/O APICs.
 * Called once on the boot CPU, before clock_init().  Panics if a device cannot be mapped.
 * @map: maps device memory for ever: kvmap_device.
 */
void apic_init(void *(*map)(paddr_t pa, size_t len));

/*
 * Enables the local APIC of the calling CPU; apic_init() did it for the
 * boot CPU. Sets this_cpu()->apic_id.
 */
void apic_init_cpu(void);

/* The interrupt being handled is done. */
void apic_eoi(void);

/*
 * Timer steps are bus cycles divided by 16; @steps of 0 stops it, others give one IRQ_TIMER
 * when they have passed.
 */
void apic_timer_start(uint32_t steps);

/*
 * apic_send - a message to one processor.
 * @command: a vector of IRQ_xxx, or one of the words below (APIC_STARTUP with a page number).
 * Interrupts may be on or off.
 */
void apic_send(uint32_t apic_id, uint32_t command);
#define APIC_NMI     (4U << 8)
#define APIC_INIT    (5U << 8 | 1U << 14) /* level-triggered messages exist to be asserted */
#define APIC_STARTUP (6U << 8 | 1U << 14)

/* Steps left. */
uint32_t apic_timer_left(void);
