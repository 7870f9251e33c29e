/*
 * clone_flags.c - clone as a library makes threads with it: what the flags do, which
 * combinations are refused, and the calls that name a thread by its number.
 */
#include "threads.h"

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#define STACK 16384

static _Alignas(16) char stacks[4][STACK];
static atomic_int seen[8];

static void
look(void *arg)
{
    (void)arg;
    seen[0] = (int)syscall(SYS_gettid);
    seen[1] = (int)syscall(SYS_getpid);
    seen[2] = (int)syscall(SYS_getppid);
    for (int i = 0; i < 10; i++)
        syscall(SYS_sched_yield);
}

/* Wait as a library does for the end of a thread: until the kernel has put 0 there. */
static void
wait_cleared(volatile int *word)
{
    int tid;

    while ((tid = *word) != 0)
        futex((void *)word, FUTEX_WAIT, tid, NULL, NULL, 0);
}

static void
numbers(void)
{
    int parent_tid = -1, cleared = -1, *tids[2] = {&parent_tid, &cleared};
    long tid = MUST(raw_clone(THREAD_FLAGS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID |
                                  CLONE_CHILD_CLEARTID,
                              stacks[0] + STACK, tids, look, NULL));
    CHECK("the caller knows its number", parent_tid == tid);
    wait_cleared(&cleared);
    CHECK("its own number, the process's number and parent",
          seen[0] == tid && seen[1] == getpid() && seen[2] == getppid() && tid != getpid());
    wait_tasks(1);
    show("a signal to it", syscall(SYS_tgkill, getpid(), tid, 0));
    show("no child to wait for", waitpid((pid_t)tid, NULL, __WALL));

    tids[0] = tids[1] = (int *)8;
    tid = raw_clone(THREAD_FLAGS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID |
                        CLONE_CHILD_CLEARTID,
                    stacks[0] + STACK, tids, look, NULL);
    show_ok("numbers that have no place to go", tid);
    wait_tasks(1);
    CHECK("it ran", seen[0] == tid);
}

static atomic_int old_place, new_place;

static void
move_place(void *arg)
{
    (void)arg;
    seen[3] = (int)syscall(SYS_set_tid_address, &new_place);
}

static void
set_tid_address(void)
{
    int *tids[2] = {(int *)&seen[4], (int *)&old_place};

    old_place = new_place = 1;
    long tid = MUST(raw_clone(THREAD_FLAGS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
                              stacks[0] + STACK, tids, move_place, NULL));
    wait_cleared((int *)&new_place);
    CHECK("set_tid_address returns the thread's number", seen[3] == tid);
    CHECK("the place it names is cleared, the one before is not", old_place == 1);
    wait_tasks(1);
}

/* A thread with its own files and its own directory. */
static void
close_and_leave(void *arg)
{
    seen[5] = syscall(SYS_close, *(int *)arg) == 0 && syscall(SYS_chdir, "/") == 0;
}

static void
own_files(void)
{
    int fd = (int)MUST(open(".", O_RDONLY)), cleared = 1, *tids[2] = {NULL, &cleared};
    char before[1024], after[1024];

    MUST(mkdir("inner", 0700));
    MUST(chdir("inner"));
    MUST(syscall(SYS_getcwd, before, sizeof(before)));
    MUST(raw_clone(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_CHILD_CLEARTID,
                   stacks[0] + STACK, tids, close_and_leave, &fd));
    wait_cleared(&cleared);
    MUST(syscall(SYS_getcwd, after, sizeof(after)));
    CHECK("it closed its file and left its directory", seen[5]);
    CHECK("ours are as they were", fcntl(fd, F_GETFD) != -1 && strcmp(before, after) == 0);
    wait_tasks(1);
}

/* A process that shares memory clears its word; one that has its own does not. */
static void
processes(void)
{
    int *word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *tids[2] = {NULL, word};

    MUST(word == MAP_FAILED ? -1 : 0);
    *word = 1;
    long pid = MUST(raw_clone(CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, stacks[0] + STACK,
                              tids, look, NULL));
    wait_cleared(word);
    show_status("a process in our memory", reap((pid_t)pid));
    CHECK("it is a process", seen[0] == pid && seen[1] == pid && seen[2] == getpid());
    *word = 1;
    pid = MUST(raw_clone(CLONE_CHILD_CLEARTID | SIGCHLD, stacks[0] + STACK, tids, look, NULL));
    show_status("a process in its own", reap((pid_t)pid));
    show("its word", *word);
    pid = MUST(raw_clone(CLONE_VM, stacks[0] + STACK, tids, look, NULL));
    show("a child without a signal is no child for wait", wait(NULL));
    show_ok("but it is for __WALL", waitpid((pid_t)pid, NULL, __WALL));
}

static void
refused(const char *what, unsigned long flags)
{
    static int *tids[2];

    show(what, raw_clone(flags, stacks[0] + STACK, tids, look, NULL));
}

static void
refusals(void)
{
    uint64_t args[11] = {THREAD_FLAGS, 0, 0, 0, SIGCHLD, (uintptr_t)stacks[0], STACK};

    refused("a thread without shared handlers", CLONE_THREAD | CLONE_VM);
    refused("a thread without shared memory", CLONE_THREAD | CLONE_SIGHAND);
    refused("handlers without memory", CLONE_SIGHAND);
    refused("a name space that shares directories", CLONE_NEWNS | CLONE_FS);
    if (syscall(SYS_clone3, args, 88) == 0)
        syscall(SYS_exit, 0);
    show("clone3: a thread with a signal", -1);
    args[4] = 0;
    args[0] = THREAD_FLAGS | CLONE_SETTLS;
    args[7] = 1UL << 63;
    if (syscall(SYS_clone3, args, 88) == 0)
        syscall(SYS_exit, 0);
    show("clone3: storage in no place", -1);
}

static void
stay(void *word)
{
    while (*(volatile int *)word == 0)
        syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void
named_by_number(void)
{
    static int word, cleared = 1, *tids[2] = {NULL, &cleared};
    pid_t pid = getpid();
    int tid = (int)MUST(
        raw_clone(THREAD_FLAGS | CLONE_CHILD_CLEARTID, stacks[0] + STACK, tids, stay, &word));

    show("tgkill", syscall(SYS_tgkill, pid, tid, 0));
    show("tkill", syscall(SYS_tkill, tid, 0));
    show("tgkill in another process", syscall(SYS_tgkill, getppid(), tid, 0));
    show("tgkill nobody", syscall(SYS_tgkill, pid, 1 << 21, 0));
    show("tgkill 0", syscall(SYS_tgkill, pid, 0, 0));
    show("tgkill in 0", syscall(SYS_tgkill, 0, tid, 0));
    show("no such signal", syscall(SYS_tgkill, pid, tid, 65));
    show("tkill 0", syscall(SYS_tkill, 0, 0));
    word = 1;
    futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0);
    wait_cleared(&cleared);
    wait_tasks(1);
    show("when it is gone", syscall(SYS_tkill, tid, 0));
}

int
main(void)
{
    numbers();
    set_tid_address();
    own_files();
    processes();
    refusals();
    named_by_number();
    return finish();
}
