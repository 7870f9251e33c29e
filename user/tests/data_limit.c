/*
 * data_limit.c - RLIMIT_DATA is about private memory that can be written, wherever it is: of brk,
 * of mmap, made so by mprotect; not about stacks, what is shared, or only read.
 */
#include "test.h"

static char *
map(size_t count, int prot, int flags)
{
    return mmap(NULL, count * PAGE, prot, MAP_ANONYMOUS | flags, -1, 0);
}

static void
limited(void *unused)
{
    char *old = map(64, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *plain = map(64, PROT_READ, MAP_PRIVATE), *brk = (char *)syscall(SYS_brk, 0), *p;
    struct rlimit r;

    (void)unused;
    MUST(getrlimit(RLIMIT_DATA, &r));
    r.rlim_cur = 1 << 20; /* the program has less, and there is room for half of that */
    MUST(setrlimit(RLIMIT_DATA, &r));
    show_ok("half of it", (long)(p = map(128, PROT_READ | PROT_WRITE, MAP_PRIVATE)));
    show_ok("as much again", (long)map(128, PROT_READ | PROT_WRITE, MAP_PRIVATE));
    show_ok("read-only", (long)map(128, PROT_READ, MAP_PRIVATE));
    show_ok("shared", (long)map(128, PROT_READ | PROT_WRITE, MAP_SHARED));
    show_ok("a stack", (long)map(128, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_GROWSDOWN));
    show_ok("in the place of the half",
            (long)mmap(p, 128 * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    show("64 made writable", mprotect(plain, 64 * PAGE, PROT_READ | PROT_WRITE));
    show("what is so, made so", mprotect(old, 64 * PAGE, PROT_READ | PROT_WRITE));
    show_ok("larger", (long)mremap(old, 64 * PAGE, 128 * PAGE, MREMAP_MAYMOVE));
    show_ok("what is only read, larger",
            (long)mremap(plain, 64 * PAGE, 128 * PAGE, MREMAP_MAYMOVE));
    CHECK("the heap", (char *)syscall(SYS_brk, brk + 64 * PAGE) == brk);
    MUST(munmap(p, 128 * PAGE));
    CHECK("the heap then", (char *)syscall(SYS_brk, brk + 64 * PAGE) == brk + 64 * PAGE);
    r.rlim_cur = 0;
    MUST(setrlimit(RLIMIT_DATA, &r));
    show_ok("a limit of nothing, and mmap", (long)map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE));
    CHECK("and brk", (char *)syscall(SYS_brk, brk + 65 * PAGE) == brk + 64 * PAGE);
}

int
main(void)
{
    show_status("all of it", in_child(limited, NULL));
    return finish();
}
