/*
 * irq.h - arch's own part of interrupts: what trap.c and clock.c call in irq.c.
 */
#pragma once

#include "kernel/arch/trap.h"

/*
 * Calls the device handler of @vector and tells the local APIC that it is done. Interrupts off.
 */
void irq_dispatch(unsigned vector);

/* The same for an interrupt of the CPU's own (timer, IPI), which has a trap_handler. */
void irq_dispatch_cpu(struct trapframe *tf, trap_handler h);
