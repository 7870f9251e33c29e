/*
 * siginfo_codes.c - si_code and si_addr say what went wrong and where.
 *
 * SEGV_MAPERR and ACCERR, BUS_ADRERR, FPE_INTDIV, ILL_ILLOPN, TRAP_BRKPT, SI_USER,
 * SI_TKILL; for a protection violation by a bad instruction the address is 0.
 */
#include "test.h"

#include <setjmp.h>

static sigjmp_buf back;
static siginfo_t last;

static void
handler(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    last = *info;
    siglongjmp(back, 1);
}

static void
report(const char *what, void *expected)
{
    say("%s: %s, code %d, address %s\n", what, signal_name(last.si_signo), last.si_code,
        last.si_addr == expected ? "right" : "wrong");
}

static void
touch(const char *what, char *p, int store)
{
    if (sigsetjmp(back, 1) == 0) {
        if (store)
            *(volatile char *)p = 1;
        else
            (void)*(volatile char *)p;
    }
    report(what, p);
}

int
main(void)
{
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

    for (int i = 0; i < 5; i++)
        MUST(sigaction(signals[i], &act, NULL));
    char *p = pages(4);
    MUST(mprotect(p + PAGE, PAGE, PROT_NONE));
    MUST(mprotect(p + 2 * PAGE, PAGE, PROT_READ));
    MUST(munmap(p + 3 * PAGE, PAGE));
    make_file("f", "x", 1);
    char *f = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, (int)MUST(open("f", O_RDONLY)), 0);
    touch("not mapped", p + 3 * PAGE + 5, 0);
    touch("no rights", p + PAGE + 6, 0);
    touch("read-only", p + 2 * PAGE + 7, 1);
    touch("behind the end of a file", f + PAGE + 8, 0);
    touch("NULL", launder(NULL), 0);
    touch("kernel half", (char *)0xffff800000000123, 0);
    if (sigsetjmp(back, 1) == 0)
        (void)*(volatile char *)0xdead000000000000;
    report("not canonical", NULL);
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("hlt");
    report("hlt", NULL);
    if (sigsetjmp(back, 1) == 0)
        ((void (*)(void))(uintptr_t)p)();
    report("run data that is not there yet", p);
    say("divide by zero: ");
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("xor %%ecx, %%ecx\n div %%ecx" : : "a"(1), "d"(0) : "rcx", "cc");
    say("%s, code %d\n", signal_name(last.si_signo), last.si_code);
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("ud2");
    say("ud2: %s, code %d\n", signal_name(last.si_signo), last.si_code);
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("int3");
    say("int3: %s, code %d\n", signal_name(last.si_signo), last.si_code);
    return finish();
}
