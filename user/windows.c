/*
 * windows.c - one file of three pages, seen through three mappings: two shared, one private.
 *
 * Stores through one of them and shows what the others, and read(), find.  Then it cuts a hole
 * into a mapping, and shows what is left.  docs/book reads its output.
 */
#include "user/tour/tour.h"

#define COUNT 3
#define RW    (PROT_READ | PROT_WRITE)

static char *shared_one, *shared_two, *own;

static char *
window(int fd, int flags)
{
    char *p = mmap(NULL, COUNT * PAGE, RW, flags, fd, 0);

    must(p != MAP_FAILED, "mmap");
    return p;
}

/* The first letter of the file's second page, through every door, and the frames behind three. */
static void
show(const char *what, int fd)
{
    char doors[4] = {shared_one[PAGE], shared_two[PAGE], own[PAGE]};

    must(pread(fd, &doors[3], 1, PAGE) == 1, "pread");
    say("%-28s  %c %c %c %c   %8s %8s %8s\n", what, doors[0], doors[1], doors[2], doors[3],
        frame_text(shared_one + PAGE), frame_text(shared_two + PAGE), frame_text(own + PAGE));
}

/* The lines of /proc/self/maps that tell of the file. */
static void
show_regions(void)
{
    char line[256];
    FILE *maps = fopen("/proc/self/maps", "r");

    must(maps != NULL, "/proc/self/maps");
    while (fgets(line, sizeof(line), maps) != NULL)
        if (strstr(line, "/windows.txt") != NULL)
            say("%.39s\n", line);
    fclose(maps);
}

int
main(void)
{
    int fd = open("/var/tmp/windows.txt", O_RDWR | O_CREAT | O_TRUNC, 0600);

    must(fd != -1 && ftruncate(fd, COUNT * PAGE) == 0, "/var/tmp/windows.txt");
    must(pwrite(fd, "a", 1, PAGE) == 1, "pwrite");
    shared_one = window(fd, MAP_SHARED);
    shared_two = window(fd, MAP_SHARED);
    own = window(fd, MAP_PRIVATE);

    say("%-28s  %s   %8s %8s %8s\n", "what is done", "1 2 p r", "frame 1", "frame 2",
        "frame p");
    show("nothing yet", fd);
    shared_one[PAGE] = 'b';
    show("b through shared window 1", fd);
    own[PAGE] = 'c';
    show("c through the private one", fd);
    shared_two[PAGE] = 'd';
    show("d through shared window 2", fd);
    must(pwrite(fd, "e", 1, PAGE) == 1, "pwrite");
    show("e by write()", fd);

    say("\nThe regions, and again after munmap() of the middle page of window 1:\n");
    show_regions();
    say("\n");
    must(munmap(shared_one + PAGE, PAGE) == 0, "munmap");
    show_regions();
    return 0;
}
