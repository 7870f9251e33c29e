/*
 * sessions.c - setsid makes a session without a terminal and a group of its own.
 *
 * A group leader cannot do it; a process cannot move to a group of another session.
 */
#include "test.h"

static void
child(void *arg)
{
    pid_t old_group = getpgrp();

    (void)arg;
    CHECK("setsid returns the process number", setsid() == getpid());
    CHECK("it leads a group", getpgrp() == getpid());
    show("once more", setsid());
    show("move to the old group", setpgid(0, old_group));
    show("a leader cannot leave", setpgid(0, getpid()));
    show_ok("it has no terminal", open("/dev/tty", O_RDWR));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        CHECK("its child is in its group", getpgrp() == getppid());
        CHECK("and can leave the session", setsid() == getpid());
        _exit(7);
    }
    show_status("child of the leader", reap(pid));
}

int
main(void)
{
    show_status("leader", in_child(child, NULL));
    return finish();
}
