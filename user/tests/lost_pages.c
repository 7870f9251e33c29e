/*
 * lost_pages.c - a page that the disk does not give back is SIGBUS, and all others are right.
 *
 * Fills MIB mebibytes (the first argument, 1 without) with a pattern, privately or with "shared"
 * as second argument, and reads every page with a handler for SIGBUS, first itself and then in
 * a child.  By itself it finds all there; tests/test_errors.py runs it with a disk that fails.
 */
#include "test.h"

#include <setjmp.h>

static sigjmp_buf after_fault;
static siginfo_t told;

static void
on_bus(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    told = *info;
    siglongjmp(after_fault, 1);
}

/* 1: the page holds what was written; 0: not; -1: SIGBUS with its address; -2: with another. */
static int
look(unsigned long *page, unsigned long n)
{
    if (sigsetjmp(after_fault, 1) == 0) {
        volatile unsigned long *word = page;
        for (size_t i = 0; i < PAGE / sizeof(*word); i += 32)
            if (word[i] != n * 1000003 + i)
                return 0;
        return 1;
    }
    return told.si_code == BUS_ADRERR && (char *)told.si_addr == (char *)page ? -1 : -2;
}

/* What a system call says of a lost page. */
static int
call_refuses(const void *page)
{
    int fd[2];

    MUST(pipe(fd));
    ssize_t n = write(fd[1], page, 64);
    int e = errno;

    close(fd[0]);
    close(fd[1]);
    return n == -1 && e == EFAULT;
}

static void
look_at_all(const char *who, char *m, size_t size)
{
    unsigned lost = 0, wrong = 0, strange = 0, let = 0;

    for (size_t at = 0; at < size; at += PAGE) {
        int found = look((unsigned long *)(m + at), at / PAGE);

        lost += found == -1;
        wrong += found == 0;
        strange += found == -2;
        if (found == -1)
            let += !call_refuses(m + at);
    }
    say("%s: lost %u, wrong %u, signals with another address %u, calls that read them %u\n",
        who, lost, wrong, strange, let);
}

int
main(int argc, char **argv)
{
    size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
    int kind = argc > 2 && strcmp(argv[2], "shared") == 0 ? MAP_SHARED : MAP_PRIVATE;
    struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

    MUST(m == MAP_FAILED ? -1 : 0);
    MUST(sigaction(SIGBUS, &sa, NULL));
    for (size_t at = 0; at < size; at += PAGE)
        for (size_t i = 0; i < PAGE / sizeof(long); i += 32)
            ((unsigned long *)(m + at))[i] = at / PAGE * 1000003 + i;
    look_at_all("the one who wrote", m, size);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        look_at_all("its child", m, size);
        _exit(0);
    }
    show_status("the child", reap(pid));
    MUST(munmap(m, size));
    return finish();
}
