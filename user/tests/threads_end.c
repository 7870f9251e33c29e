/*
 * threads_end.c - how a process with threads ends: by exit from any of them while the others
 * are at anything, and when the first thread goes before the rest.
 */
#include "threads.h"

static struct gate gate, child_gate;
static atomic_int busy, word;

static void
fault_for_ever(void)
{
    for (;;) {
        char *p = pages(16);
        memset(p, 1, 16 * PAGE);
        munmap(p, 16 * PAGE);
    }
}

static void
wait_for_child(void)
{
    char c;

    if (fork() == 0) {
        close(child_gate.fd[1]); /* ends when the last thread of its parent is gone */
        _exit(read(child_gate.fd[0], &c, 1) != 0);
    }
    wait(NULL);
}

/* What each of the others is at when the end comes. */
static void *
be_busy(void *arg)
{
    struct timespec long_time = {100000, 0};
    char c;

    busy++;
    switch ((intptr_t)arg) {
    case 0:
        for (;;)
            __asm__ volatile("pause");
    case 1:
        must(read(gate.fd[0], &c, 1), "read", 0);
        break;
    case 2:
        futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
        break;
    case 3:
        fault_for_ever();
        break;
    case 4:
        nanosleep(&long_time, NULL);
        break;
    case 5:
        wait_for_child();
        break;
    default:
        poll(NULL, 0, -1);
    }
    return arg;
}

static void
make_busy(void)
{
    gate_make(&gate);
    gate_make(&child_gate);
    for (intptr_t i = 0; i < 7; i++)
        start(be_busy, (void *)i);
    await_least(&busy, 7);
}

static void
main_returns(void *arg)
{
    (void)arg;
    make_busy();
    exit(3);
}

static void *
end_all(void *arg)
{
    syscall(SYS_exit_group, (int)(intptr_t)arg);
    return NULL;
}

static void
thread_ends_all(void *arg)
{
    make_busy();
    start(end_all, arg);
    fault_for_ever();
}

static void *
kill_all(void *arg)
{
    raise((int)(intptr_t)arg);
    return NULL;
}

static void
thread_kills_all(void *arg)
{
    make_busy();
    start(kill_all, arg);
    fault_for_ever();
}

/* Everybody wants to end it; who comes first says how. */
static void
all_end_all(void *arg)
{
    pthread_t t[8];

    for (int i = 0; i < 8; i++)
        t[i] = start(end_all, arg);
    join_all(t, 8);
}

static struct gate told, may_end;
static pid_t first;
static char self[256];

static void *
stay(void *bare)
{
    char state;

    /* Linux keeps it among the tasks as a zombie; that it is not there any more is as good. */
    while ((state = state_of(first, first)) != 'Z' && state != 0)
        sched_yield();
    CHECK("the first thread has ended, this one runs",
          count_tasks() == (state == 'Z' ? 2 : 1) && state_of(first, my_tid()) == 'R');
    CHECK("the process keeps its number", getpid() == first && my_tid() != first);
    gate_open(&told);
    gate_wait(&may_end);
    if (bare != NULL)
        syscall(SYS_exit, 4);
    return NULL;
}

/* The program again: "library" or "bare", and the two gates. */
static void
main_ends_first(char **argv)
{
    char *bare = argv[1][0] == 'b' ? argv[1] : NULL;

    sscanf(argv[2], "%d %d", &told.fd[1], &may_end.fd[0]);
    first = getpid();
    start(stay, bare);
    if (bare != NULL)
        syscall(SYS_exit, 9);
    pthread_exit(NULL);
}

/*
 * A new program whose first thread goes.  It has to be new: with musl 1.2.3, pthread_exit
 * in the first thread of a process made by fork leaves the list of threads locked.
 */
static pid_t
start_program(char *how)
{
    char gates[32], *args[] = {self, how, gates, NULL};

    gate_make(&told);
    gate_make(&may_end);
    snprintf(gates, sizeof(gates), "%d %d", told.fd[1], may_end.fd[0]);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        execv(self, args);
        _exit(100);
    }
    gate_wait(&told);
    return pid;
}

/* The parent sees a child that lives until its last thread is gone. */
static void
watch(const char *what, char *how)
{
    pid_t pid = start_program(how);

    show("nothing to wait for", waitpid(pid, NULL, WNOHANG));
    show("it can be signalled", kill(pid, 0));
    gate_open(&may_end);
    show_status(what, reap(pid));
}

static void
kill_without_first(void)
{
    pid_t pid = start_program("library");

    MUST(kill(pid, SIGTERM));
    show_status("killed without its first thread", reap(pid));
}

int
main(int argc, char **argv)
{
    if (argc > 2)
        main_ends_first(argv);
    MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
    show_status("main returns", in_child(main_returns, NULL));
    show_status("a thread ends all", in_child(thread_ends_all, (void *)4));
    show_status("a thread kills all", in_child(thread_kills_all, (void *)SIGTERM));
    show_status("all end all", in_child(all_end_all, (void *)5));
    watch("the last thread returns", "library");
    watch("threads that exit by themselves", "bare");
    kill_without_first();
    show("no child is left", wait(NULL));
    return finish();
}
