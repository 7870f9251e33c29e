/*
 * bootinfo.h - what the loader told us, in one form for every loader (multiboot2 by GRUB,
 * PVH by qemu -kernel).
 *
 * Filled in by bootinfo.c before anything else runs; plain data that stays valid for ever
 * (it is copied out of the loader's memory, which becomes free frames).
 */
#pragma once

#include "kernel/lib/types.h"

#define BOOT_RANGES_MAX  64
#define BOOT_CMDLINE_MAX 1024

struct boot_range {
    paddr_t start, end;
};

struct bootinfo {
    const char *loader; /* "GRUB 2.06", "PVH" */
    char cmdline[BOOT_CMDLINE_MAX];
    /*
     * Usable, sorted, disjoint, page-aligned inwards; the kernel image and all below 1 MiB are
     * already taken out.
     */
    struct boot_range ram[BOOT_RANGES_MAX];
    unsigned nram;
    paddr_t ram_end;    /* end of the last range */
    uint64_t ram_bytes; /* sum of the ranges and of the kernel image */
    paddr_t rsdp;       /* ACPI root pointer (physical address of a copy), 0: none */
    struct {
        paddr_t addr;                       /* 0: no linear framebuffer, use VGA text */
        uint32_t pitch, width, height, bpp; /* pitch in bytes */
        uint8_t red_shift, green_shift, blue_shift;
    } fb;
};

extern struct bootinfo bootinfo;

/*
 * boot_option - the value of NAME=VALUE on the kernel's command line. The last one counts
 * when there are several.  Words are separated by spaces; there is no quoting.
 * Returns: @value (NUL-terminated, cut to @size) with true; a bare NAME gives "".
 *          False when it is not there.
 */
bool boot_option(const char *name, char *value, size_t size);

/*
 * boot_main - fill in bootinfo; set this CPU up for traps and the log first.
 * Called once by boot.asm, on the boot page tables, before kmain().
 * @magic: MB2_MAGIC or PVH_MAGIC, already checked.
 * @info:  physical address of what the loader left, below 4 GiB.
 */
void boot_main(uint32_t magic, paddr_t info);

/*
 * The boot CPU's first stack, and the page below it, which holds nothing: whoever has the
 * kernel's page table unmaps it, so that an overflow faults.  All page-aligned.
 */
extern char boot_stack_guard[], boot_stack[], boot_stack_top[];
