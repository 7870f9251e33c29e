/*
 * layout.c - the kernel's areas begin where nobody can guess.
 *
 * A fault in the kernel that lets a program write to an address of its choice is worth little to
 * one that does not know any.  So each area has a part of the kernel half that is far larger
 * than itself, and begins at a random place in it:
 *
 *     direct map       24 bits: 2 MiB steps over 32 TiB; kernel objects and page tables lie in it
 *     stacks, devices  31 bits: a GiB out of 32 TiB, and a page in the first quarter of it
 *     descriptors      32 bits: pages of 16 TiB
 *
 * SIMPLE: the image stays where it is linked (docs/adr/0012); other kernels move it as well.
 */
#include "mm/layout.h"

#include "boot/bootinfo.h"
#include "kernel/lib/random.h"
#include "kernel/lib/string.h"

#define KVMAP_PART  0xffffc00000000000UL
#define FRAMES_PART 0xffffe00000000000UL

struct vitrine_layout vitrine_layout = {KERNEL_BASE, KERNEL_HALF, KVMAP_PART, FRAMES_PART};

vaddr_t
layout_draw(void)
{
    char value[8];
    uint64_t r[3];

    random_bytes(r, sizeof(r)); /* in any case: programs must not see a difference */
    if (boot_option("kaslr", value, sizeof(value)) && strcmp(value, "off") == 0)
        return KERNEL_HALF;
    /* Stacks and devices stay within one GiB: its page tables are then one for each 2 MiB. */
    vitrine_layout.kvmap = KVMAP_PART + (r[0] % (32 * KIB)) * GIB +
                           (r[0] >> 32) % (KVMAP_SIZE / 4 / PAGE_SIZE) * PAGE_SIZE;
    vitrine_layout.frames = FRAMES_PART + r[1] % (4 * GIB) * PAGE_SIZE;
    return KERNEL_HALF + r[2] % (16 * MIB) * (2 * MIB);
}
