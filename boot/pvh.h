/*
 * pvh.h - what a PVH loader hands over (Xen, public/arch-x86/hvm/start_info.h; "x86/HVM
 * direct boot ABI").
 */
#pragma once

#include "kernel/lib/types.h"

#define PVH_MAGIC 0x336ec578U
#define PVH_RAM   1 /* type of a usable memory map entry: the numbers of E820 */

struct pvh_start_info {
    uint32_t magic;
    uint32_t version; /* 1 and later have the memory map */
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t cmdline; /* physical address of a string, 0: none */
    uint64_t rsdp;
    uint64_t memmap; /* of pvh_memmap_entry */
    uint32_t memmap_count;
    uint32_t reserved;
};

STATIC_ASSERT(sizeof(struct pvh_start_info) == 56);

struct pvh_memmap_entry {
    uint64_t start, len;
    uint32_t type, reserved;
};
