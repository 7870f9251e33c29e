/*
 * layout.h - the virtual memory map, of the kernel and of every process.
 *
 *   0xffff_ffff_8000_0000  +--------------------------+
 *                          | kernel image             |  text r-x, rodata r--, data rw-
 *   0xffff_e000_0000_0000  +--------------------------+
 *   + up to 16 TiB         | frame descriptors        |  struct frame [physical page number]
 *   0xffff_c000_0000_0000  +--------------------------+
 *   + up to 32 TiB         | kernel stacks, devices   |  4 KiB pages, a guard page below each stack
 *   0xffff_8000_0000_0000  +--------------------------+
 *   + up to 32 TiB         | direct map of all RAM    |  2 MiB pages, rw-, never executable
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
 * Where exactly in its part of the kernel half each area begins is drawn at boot (layout.c), all
 * but the image.  The kernel half is the same in every address space: its top-level entries are
 * made at boot, before the first process copies them.
 */
#pragma once

#include "kernel/arch/uaccess.h"
#include "kernel/lib/types.h"

#define USER_BOTTOM 0x10000UL

#define KERNEL_HALF 0xffff800000000000UL
#define KERNEL_BASE 0xffffffff80000000UL
#define KVMAP_SIZE  (1 * GIB) /* plenty */

/*
 * Where the areas of the kernel half begin.  A program on the host that looks into the guest's
 * RAM finds this by the symbol vitrine_layout of the kernel's ELF file: the image is not moved,
 * so the structure lies at the physical address &vitrine_layout - image, in all versions of it.
 */
struct vitrine_layout {
    vaddr_t image;  /* KERNEL_BASE */
    vaddr_t direct; /* the direct map: physical address 0 */
    vaddr_t kvmap;  /* stacks and device registers: the first address used */
    vaddr_t frames; /* the descriptor of the frame at physical address 0 */
};

extern struct vitrine_layout vitrine_layout;

#define DIRECT_BASE (vitrine_layout.direct)
#define KVMAP_BASE  (vitrine_layout.kvmap)
#define FRAMES_BASE (vitrine_layout.frames)

/*
 * layout_draw - random places for the areas, or, with the option kaslr=off, the lowest ones.
 *
 * All but the direct map move at once: nothing is there yet.  That one is in use at
 * its lowest place (boot.asm).
 * Returns: the direct map's new base, to be stored when it is mapped there.
 */
vaddr_t layout_draw(void);

/* The guard page lies below; three pages are what the deepest path needs, with a margin. */
#define KSTACK_PAGES 2
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
