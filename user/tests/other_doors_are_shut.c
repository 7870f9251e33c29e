/*
 * other_doors_are_shut.c - there is one way into the kernel, and it is syscall.
 *
 * int 0x80, sysenter and the vsyscall page are SIGSEGV here, where Linux may still serve
 * them; the transcript is therefore compared with a file, not with Linux.  Likewise numbers
 * that are no system call, and addresses whose kernel page exists or does not: no difference.
 */
#include "test.h"

#include <setjmp.h>

static sigjmp_buf back;
static siginfo_t last;

static void
int80(void *arg)
{
    (void)arg;
    __asm__ volatile("int $0x80" : : "a"(20) : "memory");
}

static void
sysenter(void *arg)
{
    (void)arg;
    __asm__ volatile("sysenter" : : "a"(20) : "memory", "rcx", "rdx");
}

static void
vsyscall(void *offset)
{
    ((long (*)(void *))(0xffffffffff600000UL + (uintptr_t)offset))(NULL);
}

static void
on_signal(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    last = *info;
    siglongjmp(back, 1);
}

static void
probe(uintptr_t address)
{
    if (sigsetjmp(back, 1) == 0)
        *(volatile char *)address;
    say("probe %016lx: code %d, address shown %s\n", (unsigned long)address, last.si_code,
        last.si_addr == (void *)address ? "as given" : "not");
}

static void
probes(void *arg)
{
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER};

    (void)arg;
    MUST(sigaction(SIGSEGV, &act, NULL));
    MUST(sigaction(SIGBUS, &act, NULL));
    probe(0xffff800000000000);
    probe(0xffff800000100000);
    probe(0xfffffe0000000000);
    probe(0xffffffff80000000);
    probe(0xffffffff80100000);
    probe(0xffffffff80200000);
    probe(0xfffffffffffff000);
}

int
main(void)
{
    show_status("int 0x80", in_child(int80, NULL));
    int status = in_child(sysenter, NULL); /* #UD on AMD processors, #GP on others */
    CHECK("sysenter",
          WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGILL));
    show_status("vsyscall gettimeofday", in_child(vsyscall, (void *)0));
    show_status("vsyscall time", in_child(vsyscall, (void *)0x400));
    show_status("kernel addresses look alike", in_child(probes, NULL));
    return finish();
}
