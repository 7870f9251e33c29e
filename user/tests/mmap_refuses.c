/*
 * mmap_refuses.c - what mmap says to arguments that make no sense.
 *
 * Lengths of nothing and of everything, offsets that are no page or overflow, files
 * that cannot be mapped or not like this.
 */
#include "test.h"

#define RW          (PROT_READ | PROT_WRITE)
#define ANON        (MAP_PRIVATE | MAP_ANONYMOUS)
#define MAP_UNKNOWN 0x1000000

static void
try(const char *what, void *addr, size_t len, int prot, int flags, int fd, long offset)
{
    long r = syscall(SYS_mmap, addr, len, prot, flags, fd, offset);

    show_ok(what, r);
    if (r != -1)
        munmap((void *)r, len);
}

int
main(void)
{
    int pipefd[2];

    MUST(pipe(pipefd));
    make_file("f", "hello", 5);
    int ro = (int)MUST(open("f", O_RDONLY)), wo = (int)MUST(open("f", O_WRONLY));
    int dir = (int)MUST(open(".", O_RDONLY));
    try("length 0", NULL, 0, RW, ANON, -1, 0);
    try("length 2^47", NULL, 1UL << 47, RW, ANON, -1, 0);
    try("length -1", NULL, -1UL, RW, ANON, -1, 0);
    try("length -4096", NULL, -PAGE, RW, ANON, -1, 0);
    try("neither shared nor private", NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0);
    try("odd length is rounded", NULL, 5, RW, ANON, -1, 0);
    try("fixed, not aligned", (void *)0x10000001, PAGE, RW, ANON | MAP_FIXED, -1, 0);
    try("fixed in the kernel half", (void *)0xffff800000000000, PAGE, RW, ANON | MAP_FIXED, -1,
        0);
    try("fixed over the top", (void *)0x7ffffffff000, PAGE, RW, ANON | MAP_FIXED, -1, 0);
    try("fixed across the top", (void *)0x7fffffffe000, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
    try("hint in the kernel half", (void *)0xffff800000000000, PAGE, RW, ANON, -1, 0);
    try("offset not aligned", NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 1);
    try("offset negative", NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, -4096);
    try("offset far behind the end", NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 1L << 40);
    try("descriptor -1", NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0);
    try("descriptor 1000", NULL, PAGE, PROT_READ, MAP_SHARED, 1000, 0);
    try("a pipe", NULL, PAGE, PROT_READ, MAP_PRIVATE, pipefd[0], 0);
    try("a directory", NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0);
    try("shared write of a read-only file", NULL, PAGE, RW, MAP_SHARED, ro, 0);
    try("private write of a read-only file", NULL, PAGE, RW, MAP_PRIVATE, ro, 0);
    try("read of a write-only file", NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0);
    try("MAP_SHARED_VALIDATE", NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, ro, 0);
    try("with a flag that there is not", NULL, PAGE, PROT_READ,
        MAP_SHARED_VALIDATE | MAP_UNKNOWN, ro, 0);
    try("with MAP_SYNC, of no such disk", NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC,
        ro, 0);
    try("MAP_SHARED ignores them", NULL, PAGE, PROT_READ, MAP_SHARED | MAP_UNKNOWN, ro, 0);
    try("MAP_SHARED_VALIDATE without a file", NULL, PAGE, RW,
        MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0);
    try("even shared write alone", NULL, PAGE, PROT_WRITE, MAP_SHARED, wo, 0);
    return finish();
}
