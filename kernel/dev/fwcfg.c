/*
 * fwcfg.c - QEMU's firmware configuration device: named files from the command line of the
 * host.
 *
 * Ports and formats as in QEMU's docs/specs/fw_cfg: a 16-bit selector, a data port that gives
 * the selected item byte by byte, and a directory (item 0x19) of big-endian entries. ./vm hands
 * program, arguments and kernel options over this way, which works with every loader.
 */
#include "kernel/dev/fwcfg.h"

#include "boot/bootinfo.h"
#include "kernel/abi/errno.h"
#include "kernel/arch/io.h"
#include "kernel/lib/string.h"

#define PORT_SELECT    0x510
#define PORT_DATA      0x511
#define ITEM_SIGNATURE 0x0000
#define ITEM_DIRECTORY 0x0019
#define NAME_SIZE      56
#define FILES_MAX      1024 /* more is not a directory, but noise */

static bool present;

static void
read_bytes(void *buf, size_t n)
{
    uint8_t *p = buf;

    while (n-- > 0)
        *p++ = inb(PORT_DATA);
}

static uint32_t
read_be32(void)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++)
        v = v << 8 | inb(PORT_DATA);
    return v;
}

/* Looks a file up. Returns its length, with *item its selector; or -ENOENT. */
static ssize_t
find_file(const char *name, uint16_t *item)
{
    char entry[NAME_SIZE];
    uint32_t files;

    if (!present)
        return -ENOENT;
    outw(PORT_SELECT, ITEM_DIRECTORY);
    files = read_be32();
    for (uint32_t i = 0; i < files && i < FILES_MAX; i++) {
        uint32_t size = read_be32();
        uint32_t select = read_be32(); /* and two reserved bytes */

        read_bytes(entry, sizeof(entry));
        entry[NAME_SIZE - 1] = '\0';
        if (strcmp(entry, name) == 0) {
            *item = (uint16_t)(select >> 16);
            return size;
        }
    }
    return -ENOENT;
}

ssize_t
fwcfg_read(const char *name, void *buf, size_t size)
{
    uint16_t item;
    ssize_t length = find_file(name, &item);

    if (length < 0)
        return length;
    outw(PORT_SELECT, item);
    read_bytes(buf, MIN(size, (size_t)length));
    return length;
}

bool
fwcfg_present(void)
{
    return present;
}

/* Puts our options behind the loader's, with a blank between; what does not fit is cut. */
static void
append_cmdline(void)
{
    size_t used = strnlen(bootinfo.cmdline, BOOT_CMDLINE_MAX - 1);
    size_t at = used > 0 ? used + 1 : 0;
    ssize_t n = -ENOENT;

    if (at + 1 < BOOT_CMDLINE_MAX)
        n = fwcfg_read("opt/org.vitrine/cmdline", bootinfo.cmdline + at,
                       BOOT_CMDLINE_MAX - at - 1);
    if (n <= 0)
        return;
    if (used > 0)
        bootinfo.cmdline[used] = ' ';
    bootinfo.cmdline[MIN(at + (size_t)n, BOOT_CMDLINE_MAX - 1UL)] = '\0';
}

void
fwcfg_init(void)
{
    char signature[4];

    outw(PORT_SELECT, ITEM_SIGNATURE);
    read_bytes(signature, sizeof(signature));
    present = memcmp(signature, "QEMU", sizeof(signature)) == 0;

    append_cmdline();
}
