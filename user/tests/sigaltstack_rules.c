/*
 * sigaltstack_rules.c - a handler with SA_ONSTACK runs on the alternate stack, and what
 * sigaltstack refuses.
 */
#include "test.h"

static char *base;
static volatile sig_atomic_t on_it, flags_there, change_error;

static void
handler(int sig)
{
    char here;
    stack_t ss, other = {.ss_sp = base, .ss_size = 4 * PAGE};

    (void)sig;
    on_it = launder(&here) >= base && launder(&here) < base + 8 * PAGE;
    sigaltstack(NULL, &ss);
    flags_there = ss.ss_flags;
    change_error = sigaltstack(&other, NULL) == -1 ? errno : 0;
}

static void
run(const char *what, int flags)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = flags};

    MUST(sigaction(SIGUSR1, &act, NULL));
    raise(SIGUSR1);
    say("%s: on it %d, flags %d, change %s\n", what, (int)on_it, (int)flags_there,
        change_error ? errno_name(change_error) : "ok");
}

int
main(void)
{
    stack_t ss = {0}, old;

    base = pages(8);
    sigaltstack(NULL, &old);
    show("at first it is", old.ss_flags);
    ss.ss_sp = base;
    ss.ss_size = 100;
    show("too small", syscall(SYS_sigaltstack, &ss, NULL));
    ss.ss_size = 8 * PAGE;
    ss.ss_flags = 77;
    show("bad flags", syscall(SYS_sigaltstack, &ss, NULL));
    ss.ss_flags = 0;
    show("good", sigaltstack(&ss, NULL));
    run("SA_ONSTACK", SA_ONSTACK);
    run("without", 0);
    sigaltstack(NULL, &old);
    CHECK("after the inner change", old.ss_sp == base);
    ss.ss_flags = SS_DISABLE;
    show("disable", sigaltstack(&ss, NULL));
    run("disabled", SA_ONSTACK);
    return finish();
}
