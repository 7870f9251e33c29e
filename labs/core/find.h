/*
 * find.h - what the three programs with a bug share: a child that dies of it and leaves a core.
 *
 * What goes wrong and where depends on the number that the program is given.
 */
#pragma once

#include "labs/lab.h"

#include <sys/resource.h>

/*
 * leave_core - run @bug in a child, which is to die of it and to leave its core in /root.
 * @argv: the program's, of which the first argument is the number.
 */
SHARED int
leave_core(void (*bug)(uint32_t number), int argc, char **argv)
{
    uint32_t number = seed_of(argc, argv);

    MUST(chdir("/root"));
    MUST(setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}));
    MUST(setrlimit(RLIMIT_STACK, &(struct rlimit){64 * PAGE, 64 * PAGE}));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        bug(number);
        _exit(0);
    }
    int status = reap(pid);
    CHECK("it dies of SIGSEGV", WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    return finish();
}
