/*
 * spinner_is_preempted.c - a process that never calls the kernel does not stop the others.
 *
 * Two children spin on a word of shared memory, which the parent sets only after it has
 * run a while itself; and a spinning process can be killed.
 */
#include "test.h"

int
main(void)
{
    volatile int *word =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid[2];

    for (int i = 0; i < 2; i++) {
        pid[i] = (pid_t)MUST(fork());
        if (pid[i] == 0) {
            word[1 + i] = 1;
            while (word[0] == 0)
                ;
            _exit(5 + i);
        }
    }
    while (word[1] == 0 || word[2] == 0)
        ; /* the parent spins too, until both have run */
    word[0] = 1;
    show_status("first", reap(pid[0]));
    show_status("second", reap(pid[1]));
    pid[0] = (pid_t)MUST(fork());
    if (pid[0] == 0)
        for (;;)
            word[3]++;
    while (word[3] == 0)
        ;
    MUST(kill(pid[0], SIGTERM));
    show_status("an endless one", reap(pid[0]));
    return finish();
}
