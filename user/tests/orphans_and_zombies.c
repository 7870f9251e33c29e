/*
 * orphans_and_zombies.c - a child whose parent ends gets another one; a child that ends
 * stays until it is waited for.
 *
 * A zombie can be signalled, without effect, and is gone after wait.
 */
#include "test.h"

int
main(void)
{
    struct gate parent_gone;
    int answer[2], got = -1;

    gate_make(&parent_gone);
    MUST(pipe(answer));
    pid_t middle = (pid_t)MUST(fork());
    if (middle == 0) {
        pid_t me = getpid();
        if (MUST(fork()) != 0)
            _exit(0);
        gate_wait(&parent_gone);
        int other = getppid() != me && getppid() > 0;
        MUST(write(answer[1], &other, sizeof(other)));
        _exit(0);
    }
    show_status("the middle process", reap(middle));
    gate_open(&parent_gone);
    MUST(read(answer[0], &got, sizeof(got)));
    show("the orphan has a new parent", got);
    show("its old parent's parent cannot wait for it", waitpid(-1, NULL, 0));

    int ended[2];
    MUST(pipe(ended));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        _exit(9);
    close(ended[1]);
    MUST(read(ended[0], &got, 1)); /* the end of the file: it has closed its end */
    show("a zombie can be signalled", kill(pid, 0));
    show("even with SIGKILL", kill(pid, SIGKILL));
    show_status("it ended as it ended", reap(pid));
    show("now it is gone", kill(pid, 0));
    return finish();
}
