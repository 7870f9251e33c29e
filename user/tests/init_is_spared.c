/*
 * init_is_spared.c - the first process neither ends nor stops by a signal that it does not catch,
 * whether that is meant for the process or for its thread.
 *
 * The transcript is compared with a file: on Linux the first process may be one that somebody
 * needs.
 */
#include "test.h"

#include <sched.h>

/* Init takes an orphan in and sees its end. */
static void
leave_an_orphan(void)
{
    pid_t orphan;
    int p[2];

    MUST(pipe(p));
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        orphan = (pid_t)MUST(fork());
        while (orphan == 0)
            if (getppid() == 1)
                _exit(0);
        MUST(write(p[1], &orphan, sizeof(orphan)));
        _exit(0);
    }
    MUST(read(p[0], &orphan, sizeof(orphan)));
    show_status("its father", reap(child));
    while (kill(orphan, 0) == 0)
        sched_yield();
    say("the orphan is gone\n");
}

int
main(void)
{
    static const int signals[] = {SIGSEGV, SIGSTOP, SIGTSTP, SIGVTALRM, SIGKILL};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        say("%s\n", signal_name(signals[i]));
        show("to its thread", syscall(SYS_tgkill, 1, 1, signals[i]));
        show("to all of it", kill(1, signals[i]));
    }
    leave_an_orphan();
    return finish();
}
