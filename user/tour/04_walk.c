/*
 * Chapter 4: the processor's walk through four tables, for one address of this program.
 *
 * The tables' indices are bits of the address.  The entries come from /proc/self/walk, which Linux
 * does not have.
 */
/* build: static-pie */
#include "tour.h"

#define ADDRESS 0x000ffffffffff000UL /* the bits of an entry that say where it leads */

static volatile int number_here = 42;

static unsigned
part(uintptr_t address, int level)
{
    return address >> (12 + 9 * (level - 1)) & 511;
}

/* Returns the frame that the last entry leads to; 0: the entries are not told. */
static unsigned long
show_walk(uintptr_t address)
{
    uint64_t way[5];
    int fd = open("/proc/self/walk", O_RDONLY);

    if (fd == -1 || pread(fd, way, sizeof(way), (off_t)(address / PAGE * sizeof(way))) == -1 ||
        way[0] == 0)
        return 0;
    close(fd);
    say("    The register CR3 says where the first table is: %#lx.\n\n"
        "    level  table at   entry   what stands there     leads to     allows\n",
        way[0]);
    for (int k = 1; k <= 4; k++)
        say("      %d  %#10lx     %3u  %#018lx   %#10lx   %s%s%s%s%s\n", 5 - k,
            way[k - 1] & ADDRESS, part(address, 5 - k), way[k], way[k] & ADDRESS,
            way[k] & 4 ? "user " : "", way[k] & 2 ? "write " : "read ",
            way[k] >> 63 ? "" : "run ", way[k] & 32 ? "A" : "",
            way[k] & 64 && k == 4 ? "D" : "");
    return (way[4] & ADDRESS) / PAGE;
}

int
main(void)
{
    uintptr_t address = (uintptr_t)&number_here;
    unsigned long offset = address % PAGE;

    begin(4);
    number_here = 42;
    say("This program has the number %d at address %#lx. The processor\n"
        "cuts the address into five parts:\n\n",
        number_here, address);
    say("    level 4    level 3    level 2    level 1     offset\n");
    say("    %7u    %7u    %7u    %7u    %7lu\n", part(address, 4), part(address, 3),
        part(address, 2), part(address, 1), offset);
    say("    bits 47-39     38-30      29-21      20-12       11-0\n\n");

    unsigned long f = show_walk(address);
    if (f != 0)
        say("\nFrame %lu, offset %lu: the number is at %#lx in RAM.\n", f, offset,
            f * PAGE + offset);
    else
        say("(The entries can be seen on Vitrine, by root, in /proc/self/walk.)\n");
    say("A table is a frame with 512 entries. An entry has the place of the next table,\n"
        "and bits: what is allowed; and A and D, set by the processor when the page is\n"
        "used or written. So a few small tables do, instead of one of 256 GiB.\n");
    return f == 0 || f == frame((void *)address) ? 0 : 1;
}
