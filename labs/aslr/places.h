/*
 * places.h - what the programs of this lab tell each other, and how one is launched.
 *
 * A launch of the victim has four descriptors: 0 and 1 lead to a visitor, 3 holds the key of the
 * launch, and to 4 it writes where it lies.
 */
#pragma once

#include "labs/lab.h"

#include <sys/personality.h>

#define KEY_FD  3
#define TOLD_FD 4

/* Where a launch lies. */
struct places {
    uint64_t program;   /* the first byte of the program */
    uint64_t heap;      /* how far behind its end the heap begins */
    uint64_t mappings;  /* the end of the highest mapping */
    uint64_t stack;     /* the end of the stack's region */
    uint64_t arguments; /* on the stack: where it pointed when the program began */
};

struct pipe {
    int from, to;
};

/* pipe_high - a pipe whose ends no exec keeps, and which are not among 0 to 9. */
SHARED struct pipe
pipe_high(void)
{
    int fd[2];

    MUST(pipe(fd));
    struct pipe p = {(int)MUST(fcntl(fd[0], F_DUPFD_CLOEXEC, 10)),
                     (int)MUST(fcntl(fd[1], F_DUPFD_CLOEXEC, 10))};
    close(fd[0]);
    close(fd[1]);
    return p;
}

/*
 * victim_start - launch the victim.
 * @fds: what its descriptors 0, 1, 3 and 4 are to be; -1 for none.
 * @fixed: as with aslr=off, for this launch alone.
 */
SHARED pid_t
victim_start(const char *word, const int fds[4], int fixed)
{
    static const int places[4] = {0, 1, KEY_FD, TOLD_FD};
    pid_t pid = (pid_t)MUST(fork());

    if (pid != 0)
        return pid;
    if (fixed)
        MUST(personality(ADDR_NO_RANDOMIZE));
    for (int i = 0; i < 4; i++)
        if (fds[i] >= 0)
            MUST(dup2(fds[i], places[i]));
    execl("/lab/victim", "victim", word, NULL);
    _exit(127);
}
