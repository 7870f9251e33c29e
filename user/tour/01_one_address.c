/*
 * Chapter 1: two processes use the same address, and each finds its own value there.
 *
 * fork() makes a second process with the same addresses.  The child stores at one of
 * them; the parent looks there afterwards.
 */
#include "tour.h"

/* It has a page to itself: no other store makes that page another. */
static volatile int page[PAGE / sizeof(int)] __attribute__((aligned(PAGE)));
#define value page[0]

static void
show(const char *who)
{
    say("    %-14s %5d      %p     %5d   %8s\n", who, getpid(), (void *)&value, value,
        frame_text((void *)&value));
}

int
main(void)
{
    begin(1);
    say("A program keeps a number in memory and forks. The child then stores another\n"
        "number at the very same address, and ends.\n\n"
        "                   process    address        value   in frame\n");
    value = 1000;
    show("before fork");

    pid_t child = fork();
    must(child != -1, "fork");
    if (child == 0) {
        value = 2000;
        show("the child");
        _exit(0);
    }
    ended(child);
    show("the parent");

    say("\nOne address, two values. An address is not a place in RAM but a name for one,\n"
        "and each process has its own table of what the names mean; the processor looks\n"
        "there at every access. The child's store went to another frame, a piece of RAM\n"
        "of 4096 bytes, so it could not change its parent's number.\n");
    return value == 1000 ? 0 : 1;
}
