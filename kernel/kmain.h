/*
 * kmain.h - the first C function after the boot code.
 */
#pragma once

#include "kernel/lib/types.h"

/*
 * kmain - bring the kernel up and run it. Called by boot/boot.asm on the boot CPU and the boot
 * stack, interrupts off, under the boot page tables; bootinfo is filled in, the log and panics
 * work, this CPU has its GDT, IDT and TSS.
 */
void kmain(void) NORETURN;
