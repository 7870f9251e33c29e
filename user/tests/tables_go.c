/*
 * tables_go.c - page tables go with the last region that they were for, however it goes: munmap,
 * a mapping that moves or shrinks, a heap that shrinks.
 */
#include "test.h"

#include <sys/mman.h>

#define MIB    (1UL << 20)
#define GIB    (1UL << 30)
#define SIZE   (4 * MIB)
#define PLACES 8

/* Kibibytes of page tables. */
static long
tables(void)
{
    char text[4096];
    int fd = (int)MUST(open("/proc/self/status", O_RDONLY));
    ssize_t n = MUST(read(fd, text, sizeof(text) - 1));

    close(fd);
    text[n] = '\0';
    char *at = strstr(text, "VmPTE:");
    return at == NULL ? -1 : strtol(at + 6, NULL, 10);
}

static void
touch(char *p, size_t size)
{
    for (size_t at = 0; at < size; at += 16 * PAGE)
        p[at] = 1;
}

static char *
map(void *where, size_t size)
{
    char *p = mmap(where, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

int
main(void)
{
    /*
     * A hole with room for all the places, each with tables of its own, and all below one table
     * of the third level: Linux keeps one of those where it could let it go.
     */
    size_t room = GIB + (PLACES + 1) * 2 * SIZE;
    char *hole =
        mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *first = (char *)(((uintptr_t)hole + GIB) / GIB * GIB);

    MUST(munmap(hole, room));
    touch(map(first, SIZE), SIZE);
    MUST(munmap(first, SIZE));

    long before = tables();

    char *p = map(first, SIZE);
    touch(p, SIZE);
    CHECK("more tables for more memory", tables() > before);
    for (int i = 1; i < PLACES; i++) {
        p = mremap(p, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, first + i * 2 * SIZE);
        MUST(p == MAP_FAILED ? -1 : 0);
        touch(p, SIZE);
    }
    MUST(munmap(p, SIZE));
    CHECK("moved from place to place, then unmapped: no more than before", tables() == before);

    p = map(first, SIZE);
    touch(p, SIZE);
    MUST(mremap(p, SIZE, PAGE, 0) == p ? 0 : -1);
    MUST(munmap(p, PAGE));
    CHECK("shrunk, then unmapped", tables() == before);

    p = map(first, SIZE);
    touch(p, SIZE);
    for (size_t at = 0; at < SIZE; at += MIB / 2)
        MUST(munmap(p + at, MIB / 2));
    CHECK("unmapped piece by piece", tables() == before);

    p = map(first, SIZE);
    touch(p, SIZE);
    MUST(madvise(p, SIZE, MADV_DONTNEED));
    MUST(munmap(p, SIZE));
    CHECK("emptied, then unmapped", tables() == before);

    char *heap = (char *)syscall(SYS_brk, 0); /* musl's sbrk() moves nothing */

    CHECK("the heap grows", (char *)syscall(SYS_brk, heap + SIZE) == heap + SIZE);
    touch(heap, SIZE);
    CHECK("and shrinks", (char *)syscall(SYS_brk, heap) == heap);
    CHECK("its tables are gone, too", tables() == before);
    return finish();
}
