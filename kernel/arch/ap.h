/*
 * ap.h - starting the other processors ("application processors"), and stopping them for a panic.
 */
#pragma once

#include "kernel/lib/types.h"

struct cpu;

/*
 * ap_start - have a processor run @entry(@arg) on its own, and wait until it is online.
 * @apic_id: which; @stack_top: 16-byte-aligned end of its stack; @kernel_root: for CR3.
 * @entry:   calls cpu_init() first and cpu_online() when others may know of it; never returns.
 * Returns: false if it did not come within ten seconds; if it comes later, it halts.
 * Called by one thread, after clock_init() and apic_init().
 */
bool ap_start(uint32_t apic_id, vaddr_t stack_top, paddr_t kernel_root, void (*entry)(void *),
              void *arg);

/*
 * ap_hold_others - the other CPUs halt, alarms held, and the clock stands still (clock.h), until
 * ap_release_others(): so no time passes in the guest while a device works, and a run under -icount
 * repeats exactly.  With one CPU nothing is to be done: its halt alone makes no time pass.
 * Interrupts on, no spin lock held.  Between the two this CPU does not sleep.
 */
void ap_hold_others(void);
void ap_release_others(void);
/* Registers the message's handler; before the second CPU starts. */
void ap_init(void);

/*
 * ap_stop_others - for panic(): the other CPUs stop where they are, for ever, by an NMI.
 * Then cpu->stopped_rip and cpu->stopped_rbp say where that is; 0: it did not answer.
 * ap_stop_here - what the NMI does.
 */
void ap_stop_others(void);
struct trapframe;
void ap_stop_here(const struct trapframe *tf) NORETURN; /* NULL: not by an NMI */
