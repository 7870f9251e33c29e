/*
 * promises.c - what mmap, brk and fork promise when memory is overcommitted.
 *
 * Asks for MIB mebibytes (the first argument, 3 without) at once, then eight times for a third of
 * that, and touches nothing.  How much of it is refused is the kernel's choice: overcommit=.
 */
#include "test.h"

#include <sys/shm.h>

static void *
ask(size_t len, int flags)
{
    return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
}

static void
result(const char *what, size_t mib, int good)
{
    say("%s %zu MiB: %s\n", what, mib, good ? "ok" : errno_name(errno));
}

static void
segment(const char *what, size_t mib, int flags)
{
    int id = shmget(IPC_PRIVATE, mib << 20, 0600 | flags);

    result(what, mib, id != -1);
    if (id != -1)
        MUST(shmctl(id, IPC_RMID, NULL));
}

int
main(int argc, char **argv)
{
    size_t mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 3, len = mib << 20;
    void *p = ask(len, MAP_PRIVATE);
    int n = 0, status;

    result("one of", mib, p != MAP_FAILED);
    if (p != MAP_FAILED)
        munmap(p, len);
    while (n < 8 && ask(len / 3, MAP_PRIVATE) != MAP_FAILED)
        n++;
    say("8 of a third of that: %d\n", n);
    result("MAP_NORESERVE of", mib, ask(len, MAP_PRIVATE | MAP_NORESERVE) != MAP_FAILED);
    result("read-only, of", mib,
           (p = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED);
    result("made writable,", mib,
           p != MAP_FAILED && mprotect(p, len, PROT_READ | PROT_WRITE) == 0);

    pid_t child = fork();

    result("fork with", mib * 8 / 3, child >= 0);
    if (child == 0)
        _exit(0);
    wait(&status);
    result("shared,", mib, ask(len, MAP_SHARED) != MAP_FAILED);
    result("shared with MAP_NORESERVE,", mib,
           ask(len, MAP_SHARED | MAP_NORESERVE) != MAP_FAILED);
    segment("segment of", mib, 0);
    segment("SHM_NORESERVE of", mib, SHM_NORESERVE);
    errno = ENOMEM;

    char *old = (char *)syscall(SYS_brk, 0);

    result("brk by", mib, (char *)syscall(SYS_brk, old + len) == old + len);
    return 0;
}
