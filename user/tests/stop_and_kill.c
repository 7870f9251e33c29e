/* SIGSTOP and SIGKILL at one moment: whichever is met first, the process ends. */
#include <signal.h>
#include <sys/wait.h>

#include "test.h"

#define ROUNDS 200

static int
killed_while_stopping(int round)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        for (;;)
            getppid();
    for (volatile int i = 0; i < round * 50; i++)
        ;
    kill(child, SIGSTOP);
    for (volatile int i = 0; i < round % 16 * 100; i++)
        ;
    kill(child, SIGKILL);
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGKILL;
}

int
main(void)
{
    int ended = 0;

    for (int round = 0; round < ROUNDS; round++)
        ended += killed_while_stopping(round);
    CHECK("each was killed, stopped or not", ended == ROUNDS);
    return 0;
}
