/*
 * multiboot2.h - what a multiboot2 loader hands over (Multiboot2 specification
 * 3.6, "Boot information format").
 *
 * A list of tags, each beginning at a multiple of 8.  Only the tags that we read.
 */
#pragma once

#include "kernel/lib/types.h"

#define MB2_MAGIC 0x36d76289U

enum {
    MB2_TAG_END = 0,
    MB2_TAG_CMDLINE = 1,
    MB2_TAG_LOADER = 2,
    MB2_TAG_MMAP = 6,
    MB2_TAG_FRAMEBUFFER = 8,
    MB2_TAG_ACPI_OLD = 14,
    MB2_TAG_ACPI_NEW = 15,
};

struct mb2_info {
    uint32_t size; /* in all */
    uint32_t reserved;
};

struct mb2_tag {
    uint32_t type;
    uint32_t size; /* with this header, without the padding */
};

#define MB2_RAM 1 /* type of a usable memory map entry */

struct mb2_mmap_entry {
    uint64_t start, len;
    uint32_t type, reserved;
};

struct mb2_mmap {
    struct mb2_tag tag;
    uint32_t entry_size; /* may be larger than what we know */
    uint32_t entry_version;
};

#define MB2_FRAMEBUFFER_RGB 1

struct mb2_framebuffer {
    struct mb2_tag tag;
    uint64_t addr;
    uint32_t pitch, width, height;
    uint8_t bpp, type;
    uint16_t reserved;
    uint8_t red_pos, red_bits, green_pos, green_bits, blue_pos, blue_bits;
};

STATIC_ASSERT(offsetof(struct mb2_framebuffer, red_pos) == 32);
