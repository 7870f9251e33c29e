/*
 * clone3_makes_processes.c - clone3: fork and vfork by another name, its size, its refusals.
 */
#include "test.h"

#include <sched.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#define CLEAR_SIGHAND 0x100000000ULL

struct args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup, more[4];
};
#define SIZE 88

static long
clone3(struct args *a, size_t size)
{
    return syscall(SYS_clone3, a, size);
}

static void
refused(const char *what, struct args a, size_t size)
{
    show(what, clone3(&a, size));
}

static void
nothing(int sig)
{
    (void)sig;
}

/* In the child: is the handler of SIGUSR1 still there, is SIGUSR2 still ignored? */
static void
say_handlers(void)
{
    struct sigaction a, b;

    MUST(sigaction(SIGUSR1, NULL, &a));
    MUST(sigaction(SIGUSR2, NULL, &b));
    say("caught: %d, ignored: %d\n", a.sa_handler == nothing, b.sa_handler == SIG_IGN);
}

static void
as_fork(void)
{
    static int tids[2];
    struct args a = {.exit_signal = SIGCHLD,
                     .flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
                     .parent_tid = (uintptr_t)&tids[0],
                     .child_tid = (uintptr_t)&tids[1]};
    int word = 1;
    long pid = clone3(&a, SIZE);

    if (pid == 0) {
        word = 2;
        CHECK("the child knows its number", tids[1] == (int)syscall(SYS_gettid));
        say_handlers();
        _exit(word);
    }
    int right = tids[0] == pid && tids[1] == 0;
    show_status("as fork", reap((pid_t)pid));
    CHECK("so does the parent", right);
    CHECK("memory is copied", word == 1);

    a = (struct args){.exit_signal = SIGCHLD, .flags = CLEAR_SIGHAND};
    pid = clone3(&a, SIZE);
    if (pid == 0) {
        say_handlers();
        _exit(0);
    }
    show_status("with handlers cleared", reap((pid_t)pid));
    say_handlers();
}

static void
as_vfork(void)
{
    volatile int word = 1;
    struct args a = {.exit_signal = SIGCHLD, .flags = CLONE_VM | CLONE_VFORK};
    long pid = clone3(&a, 64);

    if (pid == 0) {
        word = 2;
        _exit(0);
    }
    CHECK("the parent waited, memory is shared", word == 2);
    show_status("as vfork", reap((pid_t)pid));
}

int
main(void)
{
    struct args bad = {.exit_signal = SIGCHLD};

    signal(SIGUSR1, nothing);
    signal(SIGUSR2, SIG_IGN);
    as_fork();
    as_vfork();

    refused("too small", bad, 56);
    refused("far too large", bad, 8192);
    show("nowhere", syscall(SYS_clone3, 8, SIZE));
    bad.more[2] = 1;
    refused("from the future", bad, SIZE + 32);
    bad = (struct args){.exit_signal = 65};
    refused("no such signal", bad, SIZE);
    bad = (struct args){.flags = SIGCHLD};
    refused("a signal among the flags", bad, SIZE);
    bad = (struct args){.flags = CLONE_DETACHED};
    refused("an old flag", bad, SIZE);
    bad = (struct args){.stack = 4096};
    refused("a stack without size", bad, SIZE);
    bad = (struct args){.stack_size = 4096};
    refused("a size without stack", bad, SIZE);
    bad = (struct args){.flags = CLONE_THREAD};
    refused("a thread with its own memory", bad, SIZE);
    bad = (struct args){.flags = CLONE_SIGHAND | CLONE_VM | CLEAR_SIGHAND};
    refused("handlers shared and cleared", bad, SIZE);
    show("no child is left", wait(NULL));
    return finish();
}
