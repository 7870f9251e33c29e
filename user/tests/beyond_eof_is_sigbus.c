/*
 * beyond_eof_is_sigbus.c - a mapped page wholly behind the end of its file is SIGBUS.
 *
 * The page with the last byte is there and ends in zeros; the next one is not.
 * A system call that is given such an address says EFAULT.
 */
/* also: tmpfs */
#include "test.h"

static char *map;

static void
read_it(void *at)
{
    volatile char c = *(char *)at;
    (void)c;
}

static void
write_it(void *at)
{
    *(volatile char *)at = 1;
}

int
main(void)
{
    make_file("f", "hello", 5);
    int fd = (int)MUST(open("f", O_RDWR));

    for (int shared = 0; shared < 2; shared++) {
        say("%s mapping\n", shared ? "shared" : "private");
        map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE,
                   fd, 0);
        MUST(map == MAP_FAILED ? -1 : 0);
        show_status("read inside the last page", in_child(read_it, map + PAGE - 1));
        show_status("read behind it", in_child(read_it, map + PAGE));
        show_status("write behind it", in_child(write_it, map + 2 * PAGE));
        show("write() from behind it", write(fd, map + PAGE, 1));
        MUST(munmap(map, 3 * PAGE));
    }
    map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    MUST(ftruncate(fd, 2 * PAGE));
    show_status("read after the file grew", in_child(read_it, map + PAGE));
    MUST(ftruncate(fd, 10));
    show_status("read after it shrank", in_child(read_it, map + PAGE));
    show_status("the first page is still there", in_child(read_it, map));
    return finish();
}
