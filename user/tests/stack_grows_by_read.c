/*
 * stack_grows_by_read.c - a system call may write to stack that was never touched.
 *
 * The kernel's own access faults and grows the stack on the program's behalf; beyond
 * the limit the same call says EFAULT.
 */
#include "test.h"

#define FAR (2UL << 20)

__attribute__((noinline)) static void
read_deep(int fd)
{
    char *frame = __builtin_alloca(FAR);

    ssize_t n = read(fd, frame, 100);
    show("read() into new stack", n);
    CHECK("has the bytes", memcmp(frame, "0123456789", 10) == 0);
    struct stat st;
    memset(&st, 0, sizeof(st));
    CHECK("fstat beside it", fstat(fd, &st) == 0 && st.st_size == 100);
}

static void
beyond_limit(void *fd)
{
    struct rlimit r = {1 << 20, 1 << 20};
    char here;

    MUST(setrlimit(RLIMIT_STACK, &r));
    show("read() beyond the limit", read((int)(uintptr_t)fd, launder(&here) - (3UL << 20), 10));
    show("and far below", read((int)(uintptr_t)fd, launder(&here) - (100UL << 20), 10));
}

int
main(void)
{
    char text[100];

    for (int i = 0; i < 100; i++)
        text[i] = (char)('0' + i % 10);
    make_file("f", text, sizeof(text));
    int fd = (int)MUST(open("f", O_RDONLY));
    read_deep(fd);
    MUST(lseek(fd, 0, SEEK_SET));
    show_status("child", in_child(beyond_limit, (void *)(uintptr_t)fd));
    return finish();
}
