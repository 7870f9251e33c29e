/*
 * waitid_variants.c - whom waitid waits for: any child, one, a group; also group 1, whose number
 * would mean any child in the language of wait4.
 */
#include "test.h"

static void
ask(const char *what, idtype_t kind, id_t id, pid_t child)
{
    siginfo_t info = {0};
    int r = waitid(kind, id, &info, WEXITED | WNOHANG | WNOWAIT);

    show(what, r);
    if (r == 0)
        say("  %s\n", info.si_pid == child ? "the child"
                      : info.si_pid == 0   ? "none"
                                           : "another");
}

int
main(void)
{
    siginfo_t info;

    show("no children", waitid(P_ALL, 0, &info, WEXITED));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        pause();
    MUST(setpgid(pid, pid)); /* no shell, no init in its group */
    ask("any, while it lives", P_ALL, 0, pid);
    MUST(kill(pid, SIGKILL));
    MUST(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    CHECK("it was killed", info.si_code == CLD_KILLED && info.si_status == SIGKILL);
    ask("any", P_ALL, 0, pid);
    ask("its group", P_PGID, (id_t)pid, pid);
    ask("the own group", P_PGID, 0, pid);
    ask("group 1", P_PGID, 1, pid);
    ask("child 1", P_PID, 1, pid);
    ask("child 0", P_PID, 0, pid);
    ask("no kind", 17, 0, pid);
    ask("a negative group", P_PGID, (id_t)-1, pid);
    show("nothing to wait for", waitid(P_ALL, 0, &info, 0));
    show("take it", waitid(P_PGID, (id_t)pid, &info, WEXITED));
    ask("it is gone", P_PID, (id_t)pid, pid);
    return finish();
}
