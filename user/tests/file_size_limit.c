/*
 * file_size_limit.c - RLIMIT_FSIZE: a write stops at the limit; beyond it, EFBIG and SIGXFSZ.
 */
/* also: tmpfs */
#include "test.h"

static volatile sig_atomic_t raised;

static void
on_xfsz(int sig)
{
    (void)sig;
    raised++;
}

static void
signals(void)
{
    show("signals", raised);
    raised = 0;
}

int
main(void)
{
    static char buf[20000];
    struct rlimit limit = {10000, RLIM_INFINITY};
    int fd = (int)MUST(open("f", O_CREAT | O_RDWR, 0600)), status;

    signal(SIGXFSZ, on_xfsz);
    MUST(setrlimit(RLIMIT_FSIZE, &limit));
    show("across the limit", write(fd, buf, sizeof(buf)));
    signals();
    show("at the limit", write(fd, buf, 1));
    signals();
    show("nothing", write(fd, buf, 0));
    show("before the limit", pwrite(fd, buf, 10, 9995));
    show("beyond", pwrite(fd, buf, 10, 20000));
    signals();
    MUST(fcntl(fd, F_SETFL, O_APPEND));
    show("append", write(fd, buf, 1));
    signals();
    show("to the limit", ftruncate(fd, 10000));
    show("grow beyond", ftruncate(fd, 10001));
    show("by path", truncate("f", 10001));
    signals();
    show("shrink", ftruncate(fd, 100));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        signal(SIGXFSZ, SIG_DFL);
        ftruncate(fd, 20000);
        _exit(0);
    }
    MUST(waitpid(pid, &status, 0));
    CHECK("a child has the limit, and dies",
          WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    return finish();
}
