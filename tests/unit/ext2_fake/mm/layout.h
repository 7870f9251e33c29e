/*
 * layout.h - stands in for mm/layout.h when ext2 is tested on the host.
 *
 * A physical address is a pointer here, and the frame descriptors are an array of the test's.
 */
#pragma once

#include "kernel/lib/types.h"

extern vaddr_t fake_frames_base;
#define FRAMES_BASE fake_frames_base

#define KSTACK_PAGES 4
#define KSTACK_SIZE  (KSTACK_PAGES * PAGE_SIZE)

static inline void *
phys_to_virt(paddr_t pa)
{
    return (void *)pa;
}

static inline paddr_t
virt_to_phys(const void *p)
{
    return (paddr_t)p;
}
