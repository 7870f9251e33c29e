/*
 * panic.h - the kernel's last words: what panic() (kernel/lib/assert.h) needs of the layers
 * above, and its relatives.
 */
#pragma once

#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"

/*
 * panic_trap - panic() about a trap: prints the registers of @tf, the page walk of CR2 for a
 * page fault, and the backtrace from where the trap struck.
 * Any context.
 */
void panic_trap(const struct trapframe *tf, const char *fmt, ...) NORETURN PRINTF_LIKE(2, 3);

/* True from the first line of a panic on: consoles then poll and take no locks. */
bool panic_in_progress(void);

/*
 * panic_set_walk_hook - who prints the page walk of an address: pagetable_print_walk.
 * panic_set_info_hook - called last: prints what the layers above know, such as the running
 * process, or checks their invariants.
 *
 * Neither may sleep or take a lock.
 */
void panic_set_walk_hook(void (*walk)(paddr_t root, vaddr_t va));
void panic_set_info_hook(void (*info)(void));

/*
 * backtrace_print - the calls that led to @rip, by frame pointers, with names from the table
 * that the build links in.
 * @rbp: frame pointer there.  Stops at the first frame that cannot be one.
 */
void backtrace_print(uint64_t rip, uint64_t rbp);

/*
 * symbol_find - the function that an address lies in.
 * Returns: its name, and *offset from its start; NULL if there is none, or no table.
 */
const char *symbol_find(uint64_t addr, uint64_t *offset);
