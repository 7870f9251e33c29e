/*
 * bad_sigreturn.c - a forged signal frame gives a program no more than it had.
 *
 * Kernel selectors, kernel and non-canonical addresses, privileged flags: the process
 * dies or goes on as a user program.
 */
#include "test.h"

#include <ucontext.h>

static void (*forge)(ucontext_t *);

static void
handler(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)info;
    forge(context);
}

static void
kernel_rip(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0xffffffff80100000;
}

static void
odd_rip(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0xdead000000000000;
}

static void
kernel_cs(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_CSGSFS] = 0x0010000000000010 | 0x08;
}

static void
wild_flags(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_EFL] |= 0x3000 | 0x4000 | 0x20000; /* IOPL 3, NT, VM */
}

static void
no_flags(ucontext_t *uc)
{
    uc->uc_mcontext.gregs[REG_EFL] = 0; /* interrupts off? */
}

static void
bad_fpstate(ucontext_t *uc)
{
    uc->uc_mcontext.fpregs = (void *)0xffff800000000000;
}

static void
bad_mxcsr(ucontext_t *uc)
{
    uc->uc_mcontext.fpregs->mxcsr = 0xffffffff;
}

static void
run(void *f)
{
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

    forge = (void (*)(ucontext_t *))f;
    MUST(sigaction(SIGUSR1, &act, NULL));
    raise(SIGUSR1);
    unsigned long flags;
    __asm__ volatile("pushfq\n pop %0" : "=r"(flags));
    _exit(flags & 0x3000 ? 66 : (flags & 0x200 ? 3 : 4));
}

static void
bare(void *arg)
{
    (void)arg;
    __asm__ volatile("mov %0, %%rsp\n mov $15, %%eax\n syscall"
                     :
                     : "r"(0x8000000000000000)
                     : "memory");
}

int
main(void)
{
    show_status("kernel address", in_child(run, (void *)(uintptr_t)kernel_rip));
    show_status("no address", in_child(run, (void *)(uintptr_t)odd_rip));
    int status = in_child(run, (void *)(uintptr_t)kernel_cs);
    CHECK("kernel code segment", WIFSIGNALED(status) || WEXITSTATUS(status) == 3);
    show_status("wild flags", in_child(run, (void *)(uintptr_t)wild_flags));
    show_status("no flags", in_child(run, (void *)(uintptr_t)no_flags));
    show_status("FPU state at a kernel address", in_child(run, (void *)(uintptr_t)bad_fpstate));
    status = in_child(run, (void *)(uintptr_t)bad_mxcsr);
    CHECK("reserved bits in mxcsr", WIFSIGNALED(status) || WEXITSTATUS(status) == 3);
    show_status("sigreturn without a frame", in_child(bare, NULL));
    return finish();
}
