/*
 * bad_accesses.c - loads, stores and jumps that a program must not make; each child dies
 * alone, by SIGSEGV, and the next one is unhurt.
 *
 * NULL, text, read-only data, other halves of the address space, heap and stack as code.
 * With a number as argument it makes that one attempt itself.
 */
#include "test.h"

typedef void (*code_t)(void);

static const char read_only[64] = "constant";
static unsigned char data_code[16] = {0xc3};

static void
load(void *p)
{
    *(volatile char *)p;
}

static void
store(void *p)
{
    *(volatile char *)p = 1;
}

static void
jump(void *p)
{
    ((code_t)(uintptr_t)p)();
}

static void
stack_code(void *arg)
{
    volatile unsigned char ret = 0xc3;

    (void)arg;
    ((code_t)(uintptr_t)&ret)();
}

static void
string_move(void *p)
{
    char to[64];
    void *d = to;
    unsigned long n = 64;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(p), "+c"(n) : : "memory");
}

static void
bad_stack_push(void *p)
{
    __asm__ volatile("mov %0, %%rsp\n push %%rax\n" : : "r"(p) : "memory");
    __builtin_unreachable();
}

struct address {
    const char *name;
    uintptr_t value;
};

static const struct address outside[] = {
    {"NULL", 0},
    {"NULL + 8", 8},
    {"page one", 0x1000},
    {"last user page", 0x7ffffffff000},
    {"first not canonical", 0x800000000000},
    {"middle not canonical", 0xdead000000000000},
    {"last not canonical", 0xffff7fffffffffff},
    {"start of the kernel half", 0xffff800000000000},
    {"direct map", 0xffff888000000000},
    {"kernel text", 0xffffffff80000000},
    {"kernel text + 1 MiB", 0xffffffff80100000},
    {"last page", 0xfffffffffffff000},
    {"last byte", 0xffffffffffffffff},
};

static const struct {
    const char *name;
    void (*fn)(void *);
} ways[] = {
    {"load", load},
    {"store", store},
    {"jump", jump},
    {"stack", bad_stack_push},
    {"string move", string_move},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
try(size_t address, size_t way)
{
    int status = in_child(ways[way].fn, (void *)outside[address].value);
    char name[64];

    snprintf(name, sizeof(name), "%s %s", ways[way].name, outside[address].name);
    /* a stack fault is SIGBUS on a real processor; QEMU's makes no difference */
    if (ways[way].fn == bad_stack_push && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
        status = SIGSEGV;
    show_status(name, status);
}

int
main(int argc, char **argv)
{
    if (argc > 1 && (size_t)atoi(argv[1]) < COUNT(outside) * COUNT(ways)) {
        size_t n = (size_t)atoi(argv[1]);
        ways[n % COUNT(ways)].fn((void *)outside[n / COUNT(ways)].value);
        return 0;
    }
    for (size_t i = 0; i < COUNT(outside); i++)
        for (size_t k = 0; k < COUNT(ways); k++)
            try(i, k);
    char *heap = malloc(64);
    heap[0] = (char)0xc3;
    show_status("store to text", in_child(store, (void *)(uintptr_t)main));
    show_status("store to read-only data", in_child(store, (void *)(uintptr_t)read_only));
    show_status("run data", in_child(jump, data_code));
    show_status("run the heap", in_child(jump, heap));
    show_status("run the stack", in_child(stack_code, NULL));
    show_status("run read-only data", in_child(jump, (void *)(uintptr_t)read_only));
    CHECK("all is well here", strcmp(read_only, "constant") == 0 && data_code[0] == 0xc3);
    return finish();
}
