/*
 * Chapter 2: two programs in one address space, as before there was virtual memory, and
 * then in one each.
 *
 * The programs are real machine code, made to lie at one fixed address, like those of CP/M.
 */
#include "tour.h"

#define CODE   ((unsigned char *)0x10000000)
#define NUMBER ((volatile long *)0x10001000)

/* Adds a constant, the byte at 11, to the number at 0x10001000, and returns it. */
static const unsigned char program[] = {
    0x48, 0x8b, 0x04, 0x25, 0x00, 0x10, 0x00, 0x10, /* mov rax, [0x10001000] */
    0x48, 0x83, 0xc0, 0x00,                         /* add rax, constant */
    0x48, 0x89, 0x04, 0x25, 0x00, 0x10, 0x00, 0x10, /* mov [0x10001000], rax */
    0xc3,                                           /* ret */
};

static void
load(unsigned char constant)
{
    void *p = mmap(CODE, 2 * PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    must(p == CODE, "mmap");
    memcpy(CODE, program, sizeof(program));
    CODE[11] = constant;
    must(mprotect(CODE, PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
}

static long
run(void)
{
    return ((long (*)(void))CODE)();
}

static void
run_here(const char *what, int times)
{
    say("    %-28s", what);
    while (times-- > 0)
        say(" %4ld", run());
    say("\n");
}

int
main(void)
{
    begin(2);
    say("Two programs are made to lie at 0x10000000 and to keep a number at 0x10001000.\n"
        "\"Ones\" adds 1 to it, \"hundreds\" adds 100. Both begin with 0.\n\n"
        "Loaded into one address space, as in the days of CP/M:\n");
    load(1);
    run_here("load ones, run it 3 times", 3);
    load(100);
    run_here("load hundreds, run it twice", 2);
    run_here("run ones again: 4 expected", 1);
    long stomped = *NUMBER;

    say("\nThe same, but hundreds in a process of its own:\n");
    load(1);
    run_here("load ones, run it 3 times", 3);
    pid_t child = fork();
    if (child == 0) {
        load(100);
        run_here("load hundreds, run it twice", 2);
        _exit(0);
    }
    ended(child);
    run_here("run ones again: 4 expected", 1);

    say("\nIn one space, the second program was loaded over the first, which was gone\n"
        "without a word. With virtual memory each process has a 0x10000000 of its own,\n"
        "and no way to even name the bytes of another.\n");
    return stomped == 300 && *NUMBER == 4 ? 0 : 1;
}
