/*
 * signal_context.c - the handler's third argument shows the registers, and what it
 * changes there takes effect on return.
 *
 * A handler steps over the instruction that failed and leaves a result in rax.
 */
#include "test.h"

#include <ucontext.h>

static volatile greg_t seen_rbx;
static volatile sig_atomic_t stack_fine, mask_fine;

static void
handler(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)sig;
    (void)info;
    seen_rbx = uc->uc_mcontext.gregs[REG_RBX];
    stack_fine = ((uintptr_t)__builtin_frame_address(0) & 15) == 0;
    mask_fine = sigismember((sigset_t *)&uc->uc_sigmask, SIGHUP) == 1 &&
                sigismember((sigset_t *)&uc->uc_sigmask, SIGILL) == 0;
    uc->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 is two bytes */
    uc->uc_mcontext.gregs[REG_RAX] = 0x5678;
}

int
main(void)
{
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    unsigned long rax = 1, flags = 0;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    MUST(sigaction(SIGILL, &act, NULL));
    __asm__ volatile("mov $0x1234, %%rbx\n stc\n ud2\n setc %%bl\n movzbq %%bl, %1\n"
                     : "+a"(rax), "=r"(flags)
                     :
                     : "rbx", "cc", "memory");
    CHECK("the handler saw a register", seen_rbx == 0x1234);
    CHECK("its change took effect", rax == 0x5678);
    CHECK("the flags came back", flags == 1);
    CHECK("the handler's stack is aligned", stack_fine);
    CHECK("the old mask is in the context", mask_fine);
    return finish();
}
