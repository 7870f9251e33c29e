/*
 * threads_signals.c - signals to a thread, to a process with threads, and of a thread's own
 * making; masks, alternate stacks, waiting; stop, continue and kill for all at once.
 */
#include "threads.h"

static atomic_int handled_by, handled, go, ready;
static atomic_int tids[4];

static void
handler(int sig)
{
    (void)sig;
    handled_by = my_tid();
    handled++;
}

static void
mask(int how, int sig)
{
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, sig);
    MUST0(pthread_sigmask(how, &s, NULL));
}

static int
pending(int sig)
{
    sigset_t s;

    MUST(sigpending(&s));
    return sigismember(&s, sig);
}

/* Thread 0 lets SIGUSR1 come, the others inherit that it is blocked. */
static void *
sleeper(void *arg)
{
    int me = (int)(intptr_t)arg;

    if (me == 0)
        mask(SIG_UNBLOCK, SIGUSR1);
    tids[me] = my_tid();
    while (!go)
        poll(NULL, 0, me == 0 ? -1 : 1);
    return arg;
}

static void
to_whom(void)
{
    pthread_t t[3];

    mask(SIG_BLOCK, SIGUSR1);
    start_all(t, 3, sleeper);
    for (int i = 0; i < 3; i++)
        await(&tids[i], 0);
    for (int i = 1; i <= 20; i++) {
        MUST(kill(getpid(), SIGUSR1));
        await_least(&handled, i);
        if (handled_by != tids[0])
            CHECK("to a thread that does not block it", 0);
    }
    CHECK("a signal to the process is taken by the one that lets it", handled == 20);
    MUST(syscall(SYS_tgkill, getpid(), tids[1], SIGUSR1));
    CHECK("a signal to a thread that blocks it is nobody else's",
          handled == 20 && !pending(SIGUSR1));
    go = 1;
    MUST(syscall(SYS_tgkill, getpid(), tids[0], SIGUSR1));
    join_all(t, 3);
    CHECK("a signal to a thread is handled there", handled == 21 && handled_by == tids[0]);
    CHECK("what was pending for a thread goes with it", !pending(SIGUSR1));
}

static void *
open_up(void *arg)
{
    int was = pending(SIGUSR1);

    mask(SIG_UNBLOCK, SIGUSR1);
    return (void *)(intptr_t)(was && handled_by == my_tid() ? 1 : 0 * (intptr_t)arg);
}

static void *
take(void *arg)
{
    sigset_t s;
    int sig, count = 0;

    sigemptyset(&s);
    sigaddset(&s, SIGUSR2);
    sigaddset(&s, SIGTERM);
    do {
        MUST0(sigwait(&s, &sig));
        count++;
        ready = count;
    } while (sig != SIGTERM);
    return (void *)(intptr_t)(count + 0 * (intptr_t)arg);
}

static void
pending_and_waiting(void)
{
    handled_by = 0;
    MUST(kill(getpid(), SIGUSR1));
    CHECK("all block it: it is pending", pending(SIGUSR1) && handled_by == 0);
    CHECK("a thread that unblocks it takes it", join(start(open_up, NULL)) != NULL);
    CHECK("and only once", !pending(SIGUSR1));

    mask(SIG_BLOCK, SIGUSR2);
    mask(SIG_BLOCK, SIGTERM);
    ready = 0;
    pthread_t t = start(take, NULL);
    for (int i = 1; i <= 10; i++) {
        MUST(kill(getpid(), SIGUSR2));
        await_least(&ready, i);
    }
    MUST0(pthread_kill(t, SIGTERM));
    show("sigwait in one thread took", (long)(intptr_t)join(t));
}

static __thread char *fault_at;
static __thread char *alt;
static atomic_int wrong;

/* On this thread's alternate stack; make the page accessible, and the access is repeated. */
static void
on_fault(int sig, siginfo_t *info, void *context)
{
    char here;

    (void)context;
    wrong += sig != SIGSEGV || info->si_addr != fault_at;
    wrong += launder(&here) < alt || launder(&here) >= alt + 4 * PAGE;
    wrong += mprotect(fault_at, PAGE, PROT_READ | PROT_WRITE) != 0;
}

static void *
fault(void *arg)
{
    stack_t none, mine;

    MUST(sigaltstack(NULL, &none));
    wrong += none.ss_flags != SS_DISABLE;
    alt = pages(4);
    mine = (stack_t){.ss_sp = alt, .ss_size = 4 * PAGE};
    MUST(sigaltstack(&mine, NULL));
    for (int i = 0; i < 50; i++) {
        fault_at = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        wrong += fault_at == MAP_FAILED;
        *(volatile char *)fault_at = 1;
        munmap(fault_at, PAGE);
        sched_yield();
    }
    return arg;
}

static void
faults(void)
{
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t main_stack = {.ss_sp = pages(4), .ss_size = 4 * PAGE};
    pthread_t t[4];

    MUST(sigaltstack(&main_stack, NULL)); /* the threads do not inherit it */
    MUST(sigaction(SIGSEGV, &a, NULL));
    start_all(t, 4, fault);
    join_all(t, 4);
    CHECK("each fault is its thread's own, on its own stack", wrong == 0);
    signal(SIGSEGV, SIG_DFL);
}

static struct {
    atomic_int count[3];
} * spins;

static void *
spin(void *arg)
{
    for (;;)
        spins->count[(intptr_t)arg]++;
    return NULL;
}

static int
all_turn(void)
{
    int old[3], turned = 0;

    for (int i = 0; i < 3; i++)
        old[i] = spins->count[i];
    for (int i = 0; i < 3; i++)
        await(&spins->count[i], old[i]);
    for (int i = 0; i < 3; i++)
        turned += spins->count[i] != old[i];
    return turned == 3;
}

/* A child of three threads that count; it is stopped, continued, and killed. */
static void
all_at_once(int last_signal)
{
    pthread_t t[3];
    int status, old[3], moved = 0;

    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        mask(SIG_UNBLOCK, SIGTERM);
        start_all(t, 3, spin);
        for (;;)
            pause();
    }
    CHECK("they count", all_turn());
    MUST(kill(pid, SIGSTOP));
    MUST(waitpid(pid, &status, WUNTRACED));
    show_status("stop", status);
    for (int i = 0; i < 3; i++)
        old[i] = spins->count[i];
    for (int k = 0; k < 200; k++)
        sched_yield();
    for (int i = 0; i < 3; i++)
        moved += spins->count[i] != old[i];
    CHECK("all stand still", moved == 0);
    MUST(kill(pid, SIGCONT));
    MUST(waitpid(pid, &status, WCONTINUED));
    show_status("go on", status);
    CHECK("all count again", all_turn());
    MUST(kill(pid, last_signal));
    show_status("end", reap(pid));
}

static void *
crash(void *arg)
{
    *launder((void *)8) = 1;
    return arg;
}

static void
crash_in_thread(void *arg)
{
    start(crash, arg);
    for (;;)
        pause();
}

int
main(void)
{
    struct sigaction a = {.sa_handler = handler};

    MUST(sigaction(SIGUSR1, &a, NULL));
    to_whom();
    pending_and_waiting();
    faults();
    spins = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(spins == MAP_FAILED ? -1 : 0);
    all_at_once(SIGKILL);
    all_at_once(SIGTERM);
    show_status("a thread's fault ends the process", in_child(crash_in_thread, NULL));
    return finish();
}
