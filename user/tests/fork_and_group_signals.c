/*
 * fork_and_group_signals.c - one signal to a group reaches all of it, also those who are being
 * made at that moment: a process that forks and ends, for ever, is gone after one kill.
 */
#include "test.h"

#include <stdatomic.h>
#include <sys/prctl.h>

#define ROUNDS 24

static atomic_long *made;

/*
 * From father to son: nobody is there for long.  The bare call: the library's fork() blocks all
 * signals, and what is pending in the father then is not the son's.
 */
static void
flee(void)
{
    for (;;) {
        long pid = syscall(SYS_fork);

        if (pid > 0)
            _exit(0);
        if (pid == 0)
            atomic_fetch_add(made, 1);
    }
}

/* False: somebody forks still, long after the signal. */
static int
all_gone(long since)
{
    while (waitpid(-1, NULL, 0) != -1)
        if (atomic_load(made) > since + 1000)
            return 0;
    return errno == ECHILD;
}

/* @sig is sent once, when so many were made. */
static int
hunt(int sig, long generations)
{
    atomic_store(made, 0);
    pid_t first = (pid_t)MUST(fork());

    if (first == 0) {
        setpgid(0, 0);
        flee();
    }
    setpgid(first, first);
    while (atomic_load(made) < generations)
        MUST(waitpid(-1, NULL, 0));
    MUST(kill(-first, sig));
    if (all_gone(atomic_load(made)))
        return 1;
    while (kill(-first, SIGKILL) == 0)
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    return 0;
}

int
main(void)
{
    int gone[2] = {0, 0};

    made = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    for (int i = 0; i < ROUNDS; i++)
        gone[i % 2] += hunt(i % 2 ? SIGKILL : SIGTERM, 1 + i % 7);
    CHECK("one SIGTERM ends them all", gone[0] == ROUNDS / 2);
    CHECK("so does one SIGKILL", gone[1] == ROUNDS / 2);
    return finish();
}
