/*
 * Chapter 3: memory is handed out in pages, and any page may lie in any frame of RAM.
 */
#include "tour.h"

#define COUNT 6

static void
show_pages(char *p)
{
    say("    addresses of the page              frame    its place in RAM\n");
    for (int k = 0; k < COUNT; k++)
        say("    %p-%p   %8s          %#9lx\n", (void *)(p + k * PAGE),
            (void *)(p + (k + 1) * PAGE), frame_text(p + k * PAGE), frame(p + k * PAGE) * PAGE);
}

int
main(void)
{
    static const int order[COUNT] = {4, 1, 5, 0, 3, 2};
    char *p = pages(COUNT);
    int fd = open("/proc/self/exe", O_RDONLY);

    begin(3);
    say("A page is %ld bytes of addresses, a frame is as many bytes of RAM. The\n"
        "program maps %d pages in a row, and touches them in the order 4 1 5 0 3 2.\n\n",
        sysconf(_SC_PAGESIZE), COUNT);
    for (int k = 0; k < COUNT; k++)
        p[order[k] * PAGE] = (char)k;
    show_pages(p);

    char *one = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    char *two = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    must(fd != -1 && one != MAP_FAILED && two != MAP_FAILED, "mmap");
    int same = memcmp(one, two, PAGE) == 0;
    say("\nIt also maps the first page of its own file, twice:\n\n");
    say("    %p   frame %s\n", (void *)one, frame_text(one));
    say("    %p   frame %s\n", (void *)two, frame_text(two));
    say("\nNeighbours among the pages need not be neighbours in RAM: each is placed by\n"
        "itself, so any free frame will do. And two pages may be in one frame.\n"
        "%s",
        frame(p) == 0 ? "(Frame numbers are for root only.)\n" : "");
    return same && frame(one) == frame(two) ? 0 : 1;
}
