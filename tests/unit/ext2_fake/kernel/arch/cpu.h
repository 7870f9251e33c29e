/*
 * cpu.h - stands in for kernel/arch/cpu.h when ext2 is tested on the host: there is one thread.
 */
#pragma once

#include "kernel/lib/types.h"

struct thread;

struct thread *current_thread(void);
uint64_t rdtsc(void); /* of clock.h, which nobody here asks for cycles */
