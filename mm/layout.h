/*
 * layout.h - the virtual memory map, of the kernel and of every process.
 *
 *   0xffff_ffff_8000_0000  +--------------------------+
 *                          | kernel image             |  text r-x, rodata r--, data rw-
 *   0xffff_e000_0000_0000  +--------------------------+
 *                          | frame descriptors        |  struct frame [physical page number]
 *   0xffff_c000_0000_0000  +--------------------------+
 *                          | kernel stacks, devices   |  4 KiB pages, a guard page below each stack
 *   0xffff_8000_0000_0000  +--------------------------+
 *                          | direct map of all RAM    |  2 MiB pages, rw-, never executable
 *                          +--------------------------+  (non-canonical)
 *   0x0000_7fff_ffff_f000  +--------------------------+  USER_TOP: nothing is mapped above: a
 *                          | stack, grows down        |  SYSCALL in the last bytes would return
 *                          | mappings, grow down      |  to a non-canonical address
 *                          | heap (brk), grows up     |
 *                          | program                  |
 *   0x0000_0000_0001_0000  +--------------------------+  USER_BOTTOM
 *                          | never mapped             |  so that NULL plus an offset faults
 *   0                      +--------------------------+
 *
 * The kernel half is the same in every address space: its four top-level
 * entries are made at boot, before the first process copies them.
 */
#pragma once

#include "kernel/arch/uaccess.h"
#include "kernel/lib/types.h"

#define USER_BOTTOM 0x10000UL

#define DIRECT_BASE 0xffff800000000000UL
#define KVMAP_BASE  0xffffc00000000000UL
#define KVMAP_END   0xffffc00040000000UL /* one GiB is plenty */
#define FRAMES_BASE 0xffffe00000000000UL
#define KERNEL_BASE 0xffffffff80000000UL

/* The guard page lies below; three pages are what the deepest path needs, with a margin. */
#define KSTACK_PAGES 4
#define KSTACK_SIZE  (KSTACK_PAGES * PAGE_SIZE)

/* The kernel's view of a physical address that is RAM. */
static inline void *
phys_to_virt(paddr_t pa)
{
    return (void *)(DIRECT_BASE + pa);
}

/* The physical address behind a pointer into the direct map. */
static inline paddr_t
virt_to_phys(const void *p)
{
    return (vaddr_t)p - DIRECT_BASE;
}

/* Edges of the kernel image (linker.ld); each is page-aligned. */
extern char kernel_start[], kernel_text_end[], kernel_rodata_end[], kernel_end[];
