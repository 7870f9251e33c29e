/*
 * forced_signals_kill.c - a fault while its signal is blocked or ignored kills at once.
 *
 * Otherwise the program would fault for ever.
 */
#include "test.h"

static void
fault(void)
{
    *(volatile char *)launder(NULL) = 1;
}

static void
blocked(void *arg)
{
    sigset_t set;

    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fault();
}

static void
ignored(void *arg)
{
    (void)arg;
    signal(SIGSEGV, SIG_IGN);
    fault();
}

static void
handler(int sig)
{
    (void)sig;
    fault();
}

static void
fault_in_handler(void *arg)
{
    (void)arg;
    signal(SIGSEGV, handler);
    fault();
}

static void
handler_at_bad_address(void *arg)
{
    (void)arg;
    struct sigaction act = {.sa_handler = (void (*)(int))0xffff800000000000};
    sigaction(SIGUSR1, &act, NULL);
    raise(SIGUSR1);
}

static void
bad_alternate_stack(void *arg)
{
    stack_t ss = {.ss_sp = (void *)0x1000, .ss_size = 4 * PAGE};
    struct sigaction act = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

    (void)arg;
    MUST(sigaltstack(&ss, NULL));
    MUST(sigaction(SIGUSR1, &act, NULL));
    raise(SIGUSR1);
}

int
main(void)
{
    show_status("blocked", in_child(blocked, NULL));
    show_status("ignored", in_child(ignored, NULL));
    show_status("in its own handler", in_child(fault_in_handler, NULL));
    show_status("a handler in the kernel half", in_child(handler_at_bad_address, NULL));
    show_status("an alternate stack nowhere", in_child(bad_alternate_stack, NULL));
    return finish();
}
