/*
 * pagemap_tells.c - /proc/PID/pagemap has a word for each page: is it there, and whose is it.
 */
#include "test.h"

#define PM_EXCLUSIVE (1UL << 56)
#define PM_FILE      (1UL << 61)
#define PM_SWAP      (1UL << 62)
#define PM_PRESENT   (1UL << 63)

static int map;

static void
show_page(const char *what, void *address)
{
    uint64_t w = 0;
    long n = pread(map, &w, sizeof(w), (off_t)((uintptr_t)address / PAGE * sizeof(w)));

    MUST(n == sizeof(w) ? 0 : -1);
    say("%s:%s%s%s%s\n", what, w & PM_PRESENT ? " present" : " absent",
        w & PM_EXCLUSIVE ? " alone" : "", w & PM_FILE ? " file" : "",
        w & PM_SWAP ? " swapped" : "");
}

static void
child_sees(void *p)
{
    map = (int)MUST(open("/proc/self/pagemap", O_RDONLY));
    show_page("the child's page", p);
    *(char *)p = 'c';
    show_page("after its store", p);
}

static void
private_memory(void)
{
    char *p = pages(4);

    show_page("untouched", p);
    MUST(*(volatile char *)p == 0 ? 0 : -1);
    show_page("read", p);
    p[PAGE] = 1;
    show_page("written", p + PAGE);
    MUST(mprotect(p + PAGE, PAGE, PROT_NONE));
    show_page("out of reach", p + PAGE);
    MUST(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
    show_status("child", in_child(child_sees, p + PAGE));
    MUST(madvise(p + PAGE, PAGE, MADV_DONTNEED));
    show_page("given up", p + PAGE);
    p[2 * PAGE] = 1;
    MUST(munmap(p + 2 * PAGE, PAGE));
    show_page("unmapped", p + 2 * PAGE);
}

static void
files_and_shared(void)
{
    static char bytes[2 * PAGE];

    make_file("f", bytes, sizeof(bytes));
    int fd = (int)MUST(open("f", O_RDONLY));
    char *f = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    MUST(f == MAP_FAILED ? -1 : 0);
    MUST(*(volatile char *)f == 0 ? 0 : -1);
    show_page("a file's, read", f);
    *f = 1;
    show_page("a file's, written", f);
    char *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(s == MAP_FAILED ? -1 : 0);
    *s = 1;
    show_page("shared memory", s);
}

static void
refusals(void)
{
    uint64_t w[4];
    off_t kernel = (off_t)(0xffff800000000000UL / PAGE * sizeof(w[0]));

    show("half a word", pread(map, w, 4, 0));
    show("a word and a half", pread(map, w, 12, 0));
    show("between words", pread(map, w, 8, 4));
    show("nothing", pread(map, w, 0, 0));
    show("four words", pread(map, w, sizeof(w), 0));
    CHECK("page 0 is absent", w[0] == 0);
    show("behind user memory", pread(map, w, 8, (off_t)(1UL << 47) / 4096 * 8));
    show("the kernel's half", pread(map, w, 8, kernel));
    show("to nowhere", pread(map, (void *)8, 8, 0));
    show("write", write(map, w, 8));
}

int
main(void)
{
    map = (int)MUST(open("/proc/self/pagemap", O_RDONLY));
    private_memory();
    files_and_shared();
    refusals();
    return finish();
}
