/*
 * nested_handlers.c - a handler interrupted by another, SA_NODEFER, SA_RESETHAND, and
 * registers that survive it all.
 */
#include "test.h"

static volatile sig_atomic_t depth, deepest, calls, trace;

static void
outer(int sig)
{
    (void)sig;
    trace = trace * 10 + 1;
    raise(SIGUSR2);
    trace = trace * 10 + 3;
}

static void
inner(int sig)
{
    (void)sig;
    trace = trace * 10 + 2;
}

static void
again(int sig)
{
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (calls++ < 4)
        raise(sig);
    depth--;
}

static void
count(int sig)
{
    (void)sig;
    trace++;
}

static void
reset(void *arg)
{
    struct sigaction act = {.sa_handler = count, .sa_flags = (int)SA_RESETHAND};

    (void)arg;
    MUST(sigaction(SIGUSR1, &act, NULL));
    trace = 0;
    raise(SIGUSR1);
    say("first time %d\n", (int)trace);
    raise(SIGUSR1);
    say("not reached\n");
}

int
main(void)
{
    struct sigaction act = {.sa_handler = again, .sa_flags = SA_NODEFER};
    unsigned long r12 = 0x1212, r15 = 0x1515;

    signal(SIGUSR1, outer);
    signal(SIGUSR2, inner);
    raise(SIGUSR1);
    say("order %d\n", (int)trace);
    MUST(sigaction(SIGUSR1, &act, NULL));
    raise(SIGUSR1);
    say("SA_NODEFER: %d deep\n", (int)deepest);
    depth = deepest = calls = 0;
    act.sa_flags = 0;
    MUST(sigaction(SIGUSR1, &act, NULL));
    raise(SIGUSR1);
    say("without: %d deep\n", (int)deepest);
    show_status("SA_RESETHAND", in_child(reset, NULL));
    signal(SIGUSR1, count);
    long pid = getpid(), tid = syscall(SYS_gettid), r = SYS_tgkill;
    __asm__ volatile("mov %[a], %%r12\n mov %[b], %%r15\n syscall\n"
                     "mov %%r12, %[a]\n mov %%r15, %[b]\n"
                     : [a] "+&r"(r12), [b] "+&r"(r15), "+a"(r)
                     : "D"(pid), "S"(tid), "d"((long)SIGUSR1)
                     : "rcx", "r11", "r12", "r15", "memory");
    CHECK("registers survive a handler", r == 0 && r12 == 0x1212 && r15 == 0x1515);
    return finish();
}
