/*
 * madvise_ahead_and_at_fork.c - MADV_POPULATE_READ and _WRITE bring pages before they are touched;
 * MADV_WIPEONFORK gives the child zeros, and its children too, until MADV_KEEPONFORK.
 */
#include "test.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

static int
resident(char *p, unsigned n)
{
    unsigned char vec[16] = {0};
    int here = 0;

    MUST(mincore(p, n * PAGE, vec));
    for (unsigned i = 0; i < n; i++)
        here += vec[i] & 1;
    return here;
}

static void
look(void *arg)
{
    char *p = arg;

    say("  the child finds %d %d %d\n", p[0], p[PAGE], p[2 * PAGE]);
    p[PAGE] = 9;
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        say("  and its child %d %d %d\n", p[0], p[PAGE], p[2 * PAGE]);
        _exit(0);
    }
    MUST(waitpid(pid, NULL, 0));
}

static void
at_fork(void)
{
    char *p = pages(3);
    char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    memset(p, 5, 3 * PAGE);
    show("WIPEONFORK", madvise(p + PAGE, PAGE, MADV_WIPEONFORK));
    show_status("child", in_child(look, p));
    say("the parent keeps %d %d %d\n", p[0], p[PAGE], p[2 * PAGE]);
    show("KEEPONFORK", madvise(p, 3 * PAGE, MADV_KEEPONFORK));
    show_status("child", in_child(look, p));
    show("WIPEONFORK of shared memory", madvise(shared, PAGE, MADV_WIPEONFORK));
    show("KEEPONFORK of shared memory", madvise(shared, PAGE, MADV_KEEPONFORK));
    make_file("f", "from the file", 14);
    int fd = (int)MUST(open("f", O_RDONLY));
    char *q = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    show("WIPEONFORK of a file", madvise(q, PAGE, MADV_WIPEONFORK));
    show("populate a file", madvise(q, PAGE, MADV_POPULATE_READ));
    show("populate beyond its end", madvise(q, 2 * PAGE, MADV_POPULATE_READ));
}

int
main(void)
{
    char *p = pages(8);

    say("resident %d\n", resident(p, 8));
    show("POPULATE_WRITE", madvise(p, 3 * PAGE, MADV_POPULATE_WRITE));
    say("resident %d\n", resident(p, 8));
    show("POPULATE_READ", madvise(p + 2 * PAGE, 3 * PAGE, MADV_POPULATE_READ));
    say("resident %d\n", resident(p, 8));
    CHECK("all zero", all_bytes(p, 8 * PAGE, 0));
    MUST(mprotect(p, PAGE, PROT_READ));
    show("write what may be read", madvise(p, 2 * PAGE, MADV_POPULATE_WRITE));
    show("read it", madvise(p, 2 * PAGE, MADV_POPULATE_READ));
    MUST(mprotect(p, PAGE, PROT_NONE));
    show("read nothing", madvise(p, 2 * PAGE, MADV_POPULATE_READ));
    MUST(munmap(p + 4 * PAGE, PAGE));
    show("a hole", madvise(p + 3 * PAGE, 3 * PAGE, MADV_POPULATE_WRITE));
    show("not aligned", madvise(p + 1, PAGE, MADV_POPULATE_WRITE));
    show("length 0", madvise(p + PAGE, 0, MADV_POPULATE_WRITE));
    at_fork();
    return finish();
}
