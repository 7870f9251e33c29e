/*
 * process_groups.c - setpgid and getpgid, signals to a group, and what is refused.
 *
 * A child may be moved before it execs, to its own or to an existing group of the
 * session, never to a group that is not there.
 */
#include "test.h"

static pid_t
sleeper(void)
{
    pid_t pid = (pid_t)MUST(fork());

    if (pid == 0)
        for (;;)
            wait_for_signals();
    return pid;
}

int
main(void)
{
    CHECK("a child is in its parent's group", getpgid(0) == getpgrp());
    pid_t a = sleeper(), b = sleeper(), c = sleeper();
    show("a leads a group", setpgid(a, 0));
    show("b joins it", setpgid(b, a));
    CHECK("as getpgid tells", getpgid(a) == a && getpgid(b) == a && getpgid(c) == getpgrp());
    show("signal the group", kill(-a, SIGUSR1));
    show_status("a", reap(a));
    show_status("b", reap(b));
    show("the group is gone", kill(-a, 0));
    show("c is not", kill(c, 0));
    show("c cannot join it", setpgid(c, a));
    show("a negative group", setpgid(c, -1));
    show("a stranger", setpgid(1, 0));
    show("nobody", getpgid(2000000));
    show("c leads its own", setpgid(c, c));
    show("join c's group", setpgid(0, c));
    CHECK("it did", getpgrp() == c);
    signal(SIGUSR2, SIG_IGN);
    show("signal the own group", kill(0, SIGUSR2));
    show_status("c", reap(c));
    show("the group lives on", kill(-c, 0));
    return finish();
}
