/*
 * shared_file_mapping.c - stores through MAP_SHARED are seen by read(), by other
 * mappings and by other processes, and write() is seen through the mapping.
 *
 * File pages are in one cache whoever looks at them.
 */
/* also: tmpfs */
#include "test.h"

int
main(void)
{
    static char buf[2 * PAGE];

    make_file("f", buf, sizeof(buf));
    int fd = (int)MUST(open("f", O_RDWR));
    char *a = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *b = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    MUST(a == MAP_FAILED || b == MAP_FAILED ? -1 : 0);

    strcpy(a + PAGE, "stored");
    MUST(pread(fd, buf, PAGE, PAGE));
    CHECK("read() sees a store", strcmp(buf, "stored") == 0);
    CHECK("another mapping sees it", strcmp(b, "stored") == 0);
    MUST(pwrite(fd, "written", 8, PAGE));
    CHECK("the mapping sees write()", strcmp(a + PAGE, "written") == 0);

    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        strcpy(a, "by the child");
        _exit(strcmp(b, "written") == 0 ? 7 : 1);
    }
    show_status("the child that shares it", reap(pid));
    CHECK("the parent sees the child's store", strcmp(a, "by the child") == 0);
    MUST(munmap(a, 2 * PAGE));
    close(fd);
    fd = (int)MUST(open("f", O_RDONLY));
    MUST(read(fd, buf, 2 * PAGE));
    CHECK("the file has it after munmap and close", strcmp(buf, "by the child") == 0);
    CHECK("and its size is as before", lseek(fd, 0, SEEK_END) == 2 * (off_t)PAGE);
    return finish();
}
