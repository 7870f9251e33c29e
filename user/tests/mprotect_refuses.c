/*
 * mprotect_refuses.c - what mprotect says to arguments that make no sense.
 *
 * EINVAL for a start that is no page, ENOMEM for a range that wraps or has a hole,
 * EACCES for write access to a shared file that was opened for reading.
 */
#include "test.h"

/* musl's mprotect() rounds its arguments first */
static long
raw(void *start, size_t length, int prot)
{
    return syscall(SYS_mprotect, start, length, prot);
}

int
main(void)
{
    char *p = pages(4);

    show("not aligned", raw(p + 1, PAGE, PROT_READ));
    show("length 0", raw(p, 0, PROT_READ));
    show("length 1 is one page", raw(p + 3 * PAGE, 1, PROT_NONE));
    show("length wraps", raw(p, -1UL, PROT_READ));
    show("length wraps to the start", raw(p, -(size_t)p, PROT_READ));
    show("unknown bits", raw(p, PAGE, 0x40));
    show("kernel half", raw((void *)0xffff800000000000, PAGE, PROT_READ));
    show("not canonical", raw((void *)0x0000900000000000, PAGE, PROT_READ));
    MUST(munmap(p + PAGE, PAGE));
    show("nothing there", raw(p + PAGE, PAGE, PROT_READ));
    show("a hole inside", raw(p, 3 * PAGE, PROT_READ));

    make_file("f", "hello", 5);
    int fd = (int)MUST(open("f", O_RDONLY));
    char *s = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    show("write to a shared read-only file", raw(s, PAGE, PROT_READ | PROT_WRITE));
    char *q = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    show("write to a private one", raw(q, PAGE, PROT_READ | PROT_WRITE));
    q[0] = 'j';
    CHECK("which is a copy", s[0] == 'h' && q[0] == 'j');
    return finish();
}
