/*
 * threads_exec.c - a thread that is not the first starts a program: it becomes the process,
 * with the process's number, and all others are gone.
 */
#include "threads.h"

#include <sys/auxv.h>

#define NAMES 20

static char self[256], either[] = "./a"; /* two names of this program: ./a and ./b */
static struct gate gate;
static atomic_int busy, word;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void
block(int sig)
{
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, sig);
    MUST0(pthread_sigmask(SIG_BLOCK, &s, NULL));
}

/* What the others do meanwhile. */
static void *
be_busy(void *arg)
{
    char c;

    busy++;
    switch ((intptr_t)arg) {
    case 0:
        if (read(gate.fd[0], &c, 1) < 0)
            abort();
        break;
    case 1:
        futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
        break;
    case 2:
        pthread_mutex_lock(&held);
        break;
    case 3:
        for (;;)
            munmap(memset(pages(4), 1, 4 * PAGE), 4 * PAGE);
    default:
        for (;;)
            word = 0;
    }
    return NULL;
}

static void *
exec_self(void *arg)
{
    struct flock all = {.l_type = F_WRLCK};
    char pid[16], fd[16], *args[] = {self, pid, fd, NULL};
    int locked = (int)MUST(open("locked", O_CREAT | O_RDWR, 0600));

    MUST(fcntl(locked, F_SETLK, &all));
    snprintf(pid, sizeof(pid), "%d", getpid());
    snprintf(fd, sizeof(fd), "%d", locked);
    block(SIGUSR1);
    raise(SIGUSR1);
    block(SIGUSR2);
    kill(getpid(), SIGUSR2);
    execv((char *)arg, args);
    return (void *)(intptr_t)errno;
}

/* What it was called by is what it is. */
static int
name_is_right(void)
{
    const char *called = strrchr((char *)getauxval(AT_EXECFN), '/');
    char path[256] = "";

    MUST(readlink("/proc/self/exe", path, sizeof(path) - 1));
    return strcmp(called, strrchr(path, '/')) == 0;
}

/* Another process may not write to the file that this one has locked. */
static void
is_locked(void *arg)
{
    struct flock l = {.l_type = F_WRLCK};

    MUST(fcntl(*(int *)arg, F_GETLK, &l));
    CHECK("the record lock has been kept", l.l_type == F_WRLCK && l.l_pid == getppid());
}

static void
in_new_program(int pid, int fd)
{
    sigset_t s;

    in_child(is_locked, &fd);

    CHECK("the process has its number", getpid() == pid && my_tid() == pid);
    show("threads", field_of("Threads"));
    show("tasks", count_tasks());
    CHECK("and so does its thread in /proc", state_of(pid, pid) == 'R');
    MUST(sigprocmask(SIG_BLOCK, NULL, &s));
    show("the mask of the thread that called", sigismember(&s, SIGUSR1));
    MUST(sigpending(&s));
    show("its pending signal", sigismember(&s, SIGUSR1));
    show("the process's pending signal", sigismember(&s, SIGUSR2));
    show("memory is new", busy);
}

static void
from_thread(void *arg)
{
    pthread_t t[5];

    block(SIGUSR2);
    pthread_mutex_lock(&held);
    gate_make(&gate);
    start_all(t, 5, be_busy);
    await_least(&busy, 5);
    void *error = join(start(exec_self, "/no/such/program"));
    show_error("a program that is not", (int)(intptr_t)error);
    wait_tasks(6); /* all are still there */
    pthread_t e = start(exec_self, self);
    if (arg == NULL)
        join(e);
    for (;;)
        sched_yield();
}

/* The second one is made before the first begins: clone is refused while another executes. */
static void *
exec_in_company(void *arg)
{
    busy++;
    await_least(&busy, 2);
    return exec_self(arg);
}

/* Two threads that both would: one of them does. */
static void
two_at_once(void *arg)
{
    block(SIGUSR1);
    block(SIGUSR2);
    start(exec_in_company, self);
    start(exec_in_company, self);
    pthread_exit(arg);
}

static void
main_ends_first(void *arg)
{
    (void)arg;
    block(SIGUSR2);
    start(exec_self, self);
    syscall(SYS_exit, 9);
}

static void *
change_name(void *arg)
{
    busy++;
    for (;;)
        ((volatile char *)either)[2] ^= 'a' ^ 'b';
    return arg;
}

/* While the name is read it changes: one or the other is meant, not both. */
static void
between_two_names(void *arg)
{
    char *args[] = {either, NULL};

    (void)arg;
    start(change_name, NULL);
    await(&busy, 0);
    execv(either, args);
}

static void
copy_self(const char *name)
{
    int from = (int)MUST(open(self, O_RDONLY)),
        to = (int)MUST(open(name, O_CREAT | O_WRONLY, 0755));
    char bytes[4096];
    ssize_t n;

    while ((n = MUST(read(from, bytes, sizeof(bytes)))) > 0)
        MUST(write(to, bytes, (size_t)n));
    close(from);
    close(to);
}

static void
names(void)
{
    int right = 0;

    copy_self("a");
    copy_self("b");
    for (int i = 0; i < NAMES; i++)
        right += in_child(between_two_names, NULL) == 0;
    show("one name of two", right);
}

int
main(int argc, char **argv)
{
    if (argc > 2) {
        in_new_program(atoi(argv[1]), atoi(argv[2]));
        return test_failures ? 1 : 6;
    }
    if (strlen(argv[0]) == strlen(either))
        return !name_is_right();
    signal(SIGCHLD, SIG_DFL);
    MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
    show_status("main waits for it", in_child(from_thread, NULL));
    show_status("main is running", in_child(from_thread, self));
    show_status("main has ended", in_child(main_ends_first, NULL));
    show_status("two at once", in_child(two_at_once, NULL));
    names();
    return finish();
}
