/*
 * power.h - the ways in which the machine stops: machine_exit and machine_reboot are
 * declared in cpu.h.
 */
#pragma once

#include "kernel/arch/cpu.h"

/* Stops the calling CPU for ever. */
void cpu_stop(void) NORETURN;
