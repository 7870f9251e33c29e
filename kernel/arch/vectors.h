/*
 * vectors.h - the IDT: arch's own part of trap.h.
 */
#pragma once

#include "kernel/arch/trap.h"

/* Which stack of the TSS an exception gets; 0 is the current one. */
#define IST_DF  1
#define IST_NMI 2
#define IST_MC  3

/* Fills in the IDT, once. */
void vectors_init(void);

/* Loads it on this CPU, whose TSS is loaded. */
void vectors_load(void);
