/*
 * stack_overflow_is_sigsegv.c - endless recursion ends in SIGSEGV, which a handler on
 * its own stack may catch, and without one kills.
 *
 * The kernel cannot put a signal frame on a full stack.
 */
#include "test.h"

#include <setjmp.h>

static sigjmp_buf back;

static void
on_segv(int sig)
{
    (void)sig;
    siglongjmp(back, 1);
}

static void
small_stack(void)
{
    struct rlimit r = {1 << 20, 1 << 20};

    MUST(setrlimit(RLIMIT_STACK, &r));
}

static void
plain(void *arg)
{
    (void)arg;
    small_stack();
    _exit(recurse(0));
}

static void
handler_on_full_stack(void *arg)
{
    (void)arg;
    small_stack();
    signal(SIGSEGV, on_segv);
    if (sigsetjmp(back, 1) == 0)
        _exit(recurse(0));
    _exit(5);
}

static void
handler_on_own_stack(void *arg)
{
    stack_t own = {.ss_sp = pages(4), .ss_size = 4 * PAGE};
    struct sigaction act = {.sa_handler = on_segv, .sa_flags = SA_ONSTACK};

    (void)arg;
    small_stack();
    MUST(sigaltstack(&own, NULL));
    MUST(sigaction(SIGSEGV, &act, NULL));
    if (sigsetjmp(back, 1) == 0)
        _exit(recurse(0));
    if (sigsetjmp(back, 1) == 0)
        _exit(recurse(0)); /* and a second time */
    _exit(6);
}

int
main(void)
{
    show_status("no handler", in_child(plain, NULL));
    show_status("handler on the full stack", in_child(handler_on_full_stack, NULL));
    show_status("handler on its own stack", in_child(handler_on_own_stack, NULL));
    return finish();
}
