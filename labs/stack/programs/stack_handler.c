/*
 * stack_handler.c - when the stack is full, a handler runs on the alternate stack.
 *
 * Two endless recursions end in SIGSEGV, whose handler gets another signal.
 *
 * Checkpoints: 1 and 3 in the handler of SIGSEGV: the fault's address, a local variable's, and the
 * alternate stack's lowest page; 2 and 4 in the handler of the other signal: a local variable's
 * address; 5 in a handler that did not ask for the alternate stack: the same.
 */
#include "labs/stack/stack.h"

#define OWN 6

static char *own;
static volatile long handled; /* signals on the alternate stack */

/* On the alternate stack too, below the handler that it interrupts. */
static void
on_usr1(int sig)
{
    volatile char local = (char)sig;

    checkpoint(++handled, (const void *)&local, 0, 0);
}

static void
on_usr2(int sig)
{
    volatile char local = (char)sig;

    checkpoint(5, (const void *)&local, 0, 0);
}

static void
on_full(int sig, siginfo_t *info, void *context)
{
    volatile char local = (char)sig;

    (void)context;
    checkpoint(++handled, info->si_addr, (long)&local, (long)own);
    MUST(raise(SIGUSR1));
    siglongjmp(after_refusal, 1);
}

static void
handle(int sig, void (*handler)(int), int flags)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = flags};

    MUST(sigaction(sig, &act, NULL));
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    struct stack s = stack_now();
    rlim_t size = (rlim_t)(s.end - s.start) + (8 + seed % 29) * PAGE;

    own = pages(OWN);
    MUST(setrlimit(RLIMIT_STACK, &(struct rlimit){size, size}));
    MUST(sigaltstack(&(stack_t){.ss_sp = own, .ss_size = OWN * PAGE}, NULL));
    handle(SIGUSR1, on_usr1, SA_ONSTACK);
    handle(SIGUSR2, on_usr2, 0);
    handle(SIGSEGV, (void (*)(int))(void *)on_full, SA_ONSTACK | SA_SIGINFO);
    while (handled < 4)
        if (sigsetjmp(after_refusal, 1) == 0)
            return recurse(0);
    MUST(raise(SIGUSR2));
    return finish();
}
