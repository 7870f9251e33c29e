/*
 * threads_fork.c - fork and vfork in a process with threads: the child has one thread, the
 * one that called; the others go on where they were.
 */
#include "threads.h"

static atomic_int stop, counts[3], wrong;
static __thread int mine;
static int prepared, parents, children;

static void *
count(void *arg)
{
    while (!stop)
        counts[(intptr_t)arg]++;
    return arg;
}

static int
others_go_on(void)
{
    for (int i = 0; i < 3; i++)
        await(&counts[i], counts[i]);
    return 1;
}

/* In the child: only the caller is here, with its stack and its variables. */
static int
look(int *on_stack, int want)
{
    int before[3], moved = 0;

    for (int i = 0; i < 3; i++)
        before[i] = counts[i];
    for (int k = 0; k < 20; k++)
        sched_yield();
    for (int i = 0; i < 3; i++)
        moved += counts[i] != before[i];
    return count_tasks() != 1 || my_tid() != getpid() || moved || *on_stack != want ||
           mine != want;
}

static void *
forker(void *arg)
{
    int me = (int)(intptr_t)arg + 5, on_stack = me;

    mine = me;
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(getppid() == 0 || look(&on_stack, me));
        int status = pid > 0 ? reap(pid) : -1;
        wrong += status != 0;
    }
    return arg;
}

static void *
fork_and_leave(void *arg)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(12);
    return (void *)(intptr_t)(pid + 0 * (intptr_t)arg);
}

/* The child of vfork stays until the other threads were seen to go on. */
static void *
vforker(void *arg)
{
    pid_t pid = vfork();

    if (pid == 0) {
        int old = counts[0];
        while (counts[0] == old)
            syscall(SYS_sched_yield);
        _exit(13);
    }
    return (void *)(intptr_t)(pid + 0 * (intptr_t)arg);
}

static void
waits(void)
{
    pid_t pid = (pid_t)(intptr_t)join(start(fork_and_leave, NULL));

    show_status("a child of a thread that is gone", reap(pid));
    pid = (pid_t)(intptr_t)join(start(vforker, NULL));
    show_status("a child of vfork, while others ran", reap(pid));
}

static void
prepare(void)
{
    prepared++;
}

static void
in_parent(void)
{
    parents++;
}

static void
in_fork_child(void)
{
    children++;
}

int
main(void)
{
    pthread_t t[3], f[4];

    start_all(t, 3, count);
    start_all(f, 4, forker);
    join_all(f, 4);
    CHECK("40 children of four threads, each of one thread", wrong == 0);
    CHECK("the other threads went on", others_go_on());
    waits();
    MUST0(pthread_atfork(prepare, in_parent, in_fork_child));
    pid_t pid = fork();
    if (pid == 0)
        _exit(prepared * 4 + parents * 2 + children);
    show_status("pthread_atfork in the child", reap(pid));
    show("and in the parent", prepared * 4 + parents * 2 + children);
    pid = fork();
    if (pid == 0) {
        join(start(count, (void *)(intptr_t)(stop = 1)));
        _exit(count_tasks() > 2);
    }
    show_status("a child makes threads of its own", reap(pid));
    stop = 1;
    join_all(t, 3);
    return finish();
}
