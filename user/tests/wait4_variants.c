/*
 * wait4_variants.c - whom wait4 waits for: any child, one, a group; and when it says no.
 *
 * WNOHANG returns 0 while children live, ECHILD when there are none.
 */
#include "test.h"

static pid_t
child(struct gate *g, int code, int own_group)
{
    pid_t pid = (pid_t)MUST(fork());

    if (pid == 0) {
        gate_wait(g);
        _exit(code);
    }
    if (own_group)
        MUST(setpgid(pid, pid));
    return pid;
}

int
main(void)
{
    struct gate a, b, c;
    struct rusage usage;
    int status = 0;

    show("no children", waitpid(-1, &status, 0));
    show("no children, WNOHANG", waitpid(-1, &status, WNOHANG));
    gate_make(&a), gate_make(&b), gate_make(&c);
    pid_t one = child(&a, 1, 0), two = child(&b, 2, 1), three = child(&c, 3, 0);
    show("WNOHANG while they live", waitpid(-1, &status, WNOHANG));
    show("a stranger", waitpid(1, &status, 0));
    show("a group without children", waitpid(-2000000, &status, WNOHANG));
    show("bad options", waitpid(-1, &status, 0x100));
    gate_open(&c);
    CHECK("one child by its number", waitpid(three, &status, 0) == three);
    show_status("three", status);
    show("again", waitpid(three, &status, 0));
    gate_open(&b);
    CHECK("one by its group", waitpid(-two, &status, 0) == two);
    show_status("two", status);
    show("own group, WNOHANG", waitpid(0, &status, WNOHANG));
    gate_open(&a);
    memset(&usage, 0xff, sizeof(usage));
    CHECK("any, with its usage", wait4(-1, &status, 0, &usage) == one);
    show_status("one", status);
    CHECK("which was filled in", usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 100);
    show("no more", wait(&status));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        _exit(5);
    show("a bad status pointer", syscall(SYS_wait4, pid, (void *)0xffff800000000000, 0, NULL));
    pid = (pid_t)MUST(fork());
    if (pid == 0)
        _exit(6);
    CHECK("no status pointer", waitpid(pid, NULL, 0) == pid);
    return finish();
}
