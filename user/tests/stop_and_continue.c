/*
 * stop_and_continue.c - a stopped child is reported by WUNTRACED, a continued one by
 * WCONTINUED, each once.
 *
 * What job control stands on.  A stopped process can be killed; a stopped one does not
 * take SIGTERM before it goes on.
 */
#include "test.h"

int
main(void)
{
    struct gate go;
    int status = 0;

    gate_make(&go);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        setpgid(0,
                0); /* SIGTSTP does not stop an orphaned group; this one has a parent outside */
        gate_wait(&go);
        raise(SIGSTOP);
        gate_wait(&go);
        raise(SIGTSTP);
        for (;;)
            wait_for_signals();
    }
    gate_open(&go);
    CHECK("wait sees the stop", waitpid(pid, &status, WUNTRACED) == pid);
    show_status("first", status);
    show("once only", waitpid(pid, &status, WUNTRACED | WNOHANG));
    MUST(kill(pid, SIGCONT));
    CHECK("wait sees it go on", waitpid(pid, &status, WCONTINUED) == pid);
    show_status("then", status);
    show("once only", waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG));
    gate_open(&go);
    CHECK("it stops again", waitpid(pid, &status, WUNTRACED) == pid);
    show_status("by", status);
    MUST(kill(pid, SIGTERM));
    show("SIGTERM waits while it is stopped", waitpid(pid, &status, WNOHANG));
    MUST(kill(pid, SIGCONT));
    CHECK("and comes when it goes on", waitpid(pid, &status, 0) == pid);
    show_status("end", status);

    pid = (pid_t)MUST(fork());
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(1);
    }
    CHECK("another one stops", waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    MUST(kill(pid, SIGKILL));
    CHECK("SIGKILL does not wait", waitpid(pid, &status, 0) == pid);
    show_status("end", status);
    return finish();
}
