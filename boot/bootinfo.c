/*
 * bootinfo.c - read what the loader left, in whichever form, into struct bootinfo.
 *
 * Runs on the temporary page tables of boot.asm, where the first 4 GiB of physical
 * memory are seen through the direct map; loaders put their data there.  After
 * boot_main() nothing of the loader's memory is used any more.
 *
 * Both memory maps may overlap, touch and be out of order: usable RAM is what some
 * entry calls RAM and no entry calls anything else.
 */
#include "boot/bootinfo.h"

#include "boot/multiboot2.h"
#include "boot/pvh.h"
#include "boot/ranges.h"
#include "kernel/arch/acpi.h"
#include "kernel/arch/cpu.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/layout.h"

struct bootinfo bootinfo;

#define MAP_MAX 256

/* The loader's map, as it stands: usable entries are added first, then all others taken out. */
static struct {
    struct {
        paddr_t start, end;
        bool ram;
    } entry[MAP_MAX];
    unsigned count;
} map;

static char loader_name[64];

static void
map_add(paddr_t start, uint64_t len, bool ram)
{
    paddr_t end;

    if (__builtin_add_overflow(start, len, &end))
        end = UINT64_MAX;
    if (map.count == MAP_MAX) {
        kprintf("boot: memory map has more than %d entries, ignoring one\n", MAP_MAX);
        return;
    }
    map.entry[map.count].start = start;
    map.entry[map.count].end = end;
    map.entry[map.count].ram = ram;
    map.count++;
}

/* Makes bootinfo.ram from the loader's map. */
static void
make_ram(void)
{
    struct ranges r = {.at = bootinfo.ram, .max = BOOT_RANGES_MAX};
    paddr_t image_start = (vaddr_t)kernel_start - KERNEL_BASE;
    paddr_t image_end = (vaddr_t)kernel_end - KERNEL_BASE;

    for (unsigned i = 0; i < map.count; i++)
        if (map.entry[i].ram)
            ranges_add(&r, map.entry[i].start, map.entry[i].end);
    for (unsigned i = 0; i < map.count; i++)
        if (!map.entry[i].ram)
            ranges_remove(&r, map.entry[i].start, map.entry[i].end);
    ranges_remove(&r, 0, 1 * MIB);
    ranges_remove(&r, image_start, image_end);
    ranges_align(&r);

    bootinfo.nram = r.count;
    bootinfo.ram_end = r.count > 0 ? r.at[r.count - 1].end : 0;
    bootinfo.ram_bytes = ranges_sum(&r) + (image_end - image_start);
    if (r.lost != 0)
        kprintf("boot: memory map too scattered, %lu KiB left unused\n", r.lost / KIB);
}

/* A pointer to loader data, which must lie below 4 GiB. */
static const void *
low(uint64_t pa)
{
    if (pa >= 4 * GIB)
        panic("the loader put its data at %#lx, above 4 GiB", pa);
    return phys_to_virt(pa);
}

static void
read_mmap(const struct mb2_mmap *m)
{
    const char *p = (const char *)(m + 1);
    const char *end = (const char *)m + m->tag.size;

    if (m->entry_size < sizeof(struct mb2_mmap_entry))
        panic("the loader's memory map has entries of %u bytes", m->entry_size);
    for (; p + m->entry_size <= end; p += m->entry_size) {
        const struct mb2_mmap_entry *e = (const struct mb2_mmap_entry *)p;
        map_add(e->start, e->len, e->type == MB2_RAM);
    }
}

static void
read_framebuffer(const struct mb2_framebuffer *f)
{
    if (f->type != MB2_FRAMEBUFFER_RGB || f->addr == 0)
        return; /* EGA text, or a palette */
    bootinfo.fb.addr = f->addr;
    bootinfo.fb.pitch = f->pitch;
    bootinfo.fb.width = f->width;
    bootinfo.fb.height = f->height;
    bootinfo.fb.bpp = f->bpp;
    bootinfo.fb.red_shift = f->red_pos;
    bootinfo.fb.green_shift = f->green_pos;
    bootinfo.fb.blue_shift = f->blue_pos;
}

/*
 * The new root pointer (ACPI 2.0) is better than the old one; the tags may come in any order.
 */
static void
read_rsdp(const struct mb2_tag *tag)
{
    static uint8_t copy[64] ALIGNED(16);
    static bool have_new;

    if (have_new || tag->size <= sizeof(*tag))
        return;
    have_new = tag->type == MB2_TAG_ACPI_NEW;
    memset(copy, 0, sizeof(copy));
    memcpy(copy, tag + 1, MIN(tag->size - sizeof(*tag), sizeof(copy)));
    bootinfo.rsdp = (vaddr_t)copy - KERNEL_BASE;
}

static void
read_tag(const struct mb2_tag *tag)
{
    switch (tag->type) {
    case MB2_TAG_CMDLINE:
        strlcpy(bootinfo.cmdline, (const char *)(tag + 1), sizeof(bootinfo.cmdline));
        break;
    case MB2_TAG_LOADER:
        strlcpy(loader_name, (const char *)(tag + 1), sizeof(loader_name));
        break;
    case MB2_TAG_MMAP:
        read_mmap((const struct mb2_mmap *)tag);
        break;
    case MB2_TAG_FRAMEBUFFER:
        read_framebuffer((const struct mb2_framebuffer *)tag);
        break;
    case MB2_TAG_ACPI_OLD:
    case MB2_TAG_ACPI_NEW:
        read_rsdp(tag);
        break;
    }
}

static void
read_multiboot2(const struct mb2_info *info)
{
    const char *end = (const char *)info + info->size;
    const char *p = (const char *)(info + 1);

    strlcpy(loader_name, "multiboot2", sizeof(loader_name));
    while (p + sizeof(struct mb2_tag) <= end) {
        const struct mb2_tag *tag = (const struct mb2_tag *)p;

        if (tag->type == MB2_TAG_END || tag->size < sizeof(*tag))
            break;
        read_tag(tag);
        p += ROUND_UP(tag->size, 8);
    }
}

static void
read_pvh(const struct pvh_start_info *info)
{
    const struct pvh_memmap_entry *e = low(info->memmap);

    strlcpy(loader_name, "PVH", sizeof(loader_name));
    if (info->version < 1)
        panic("the PVH loader gives no memory map");
    for (unsigned i = 0; i < info->memmap_count; i++)
        map_add(e[i].start, e[i].len, e[i].type == PVH_RAM);
    if (info->cmdline != 0)
        strlcpy(bootinfo.cmdline, low(info->cmdline), sizeof(bootinfo.cmdline));
    bootinfo.rsdp = info->rsdp;
}

void
boot_main(uint32_t magic, paddr_t info)
{
    cpu_early_init();
    bootinfo.loader = loader_name;
    if (magic == MB2_MAGIC)
        read_multiboot2(low(info));
    else
        read_pvh(low(info));
    make_ram();
    acpi_init(bootinfo.rsdp);
}

/* The value of the option if the word at @p is NAME or NAME=VALUE; else NULL. */
static const char *
option_value(const char *p, const char *name)
{
    size_t n = strlen(name);

    if (strncmp(p, name, n) != 0)
        return NULL;
    if (p[n] == '=')
        return p + n + 1;
    return p[n] == ' ' || p[n] == '\0' ? p + n : NULL;
}

bool
boot_option(const char *name, char *value, size_t size)
{
    const char *found = NULL;

    for (const char *p = bootinfo.cmdline; *p != '\0';) {
        const char *v = option_value(p, name);

        if (v != NULL)
            found = v; /* go on: the last one counts */
        while (*p != '\0' && *p != ' ')
            p++;
        while (*p == ' ')
            p++;
    }
    if (found == NULL)
        return false;

    size_t n = 0;
    for (; n + 1 < size && found[n] != '\0' && found[n] != ' '; n++)
        value[n] = found[n];
    if (size > 0)
        value[n] = '\0';
    return true;
}
