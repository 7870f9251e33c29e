/*
 * exec_keeps_and_drops.c - what goes through execve and what does not.
 *
 * Kept: process number, directory, umask, open files and their offsets, ignored
 * signals, the mask, pending signals, limits.  Dropped: close-on-exec files, handlers,
 * memory, the alternate stack.
 */
#include "test.h"

extern char **environ;

static volatile sig_atomic_t delivered;

static void
handler(int sig)
{
    delivered = sig;
}

static void
look(char **argv)
{
    struct sigaction act;
    sigset_t set;
    stack_t ss;
    struct rlimit r;
    char cwd[256] = "";

    CHECK("the process number", getpid() == atoi(argv[2]));
    CHECK("the directory", getcwd(cwd, sizeof(cwd)) != NULL && strcmp(cwd, argv[3]) == 0);
    CHECK("umask", umask(0) == 027);
    CHECK("an open file and its offset", lseek(10, 0, SEEK_CUR) == 3);
    show("a close-on-exec file", fcntl(11, F_GETFD));
    show("one opened with O_CLOEXEC", fcntl(12, F_GETFD));
    CHECK("its duplicate does not have the flag", fcntl(13, F_GETFD) == 0);
    sigaction(SIGUSR1, NULL, &act);
    CHECK("a handler is the default again", act.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, NULL, &act);
    CHECK("ignored stays ignored", act.sa_handler == SIG_IGN);
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK("the mask", sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGHUP) == 0);
    sigaltstack(NULL, &ss);
    CHECK("no alternate stack", ss.ss_flags == SS_DISABLE);
    getrlimit(RLIMIT_NOFILE, &r);
    CHECK("a limit", r.rlim_cur == 77);
    CHECK("the environment", environ[0] != NULL && strcmp(environ[0], "K=V") == 0);
    signal(SIGTERM, handler);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    CHECK("a pending signal", delivered == SIGTERM);
}

int
main(int argc, char **argv)
{
    char pid[16], cwd[256], *args[] = {"x", "look", pid, cwd, NULL}, *env[] = {"K=V", NULL};
    struct rlimit r = {77, 77};
    sigset_t set;

    if (argc > 1) {
        look(argv);
        return finish();
    }
    make_file("f", "abcdef", 6);
    MUST(mkdir("d", 0755));
    int fd = (int)MUST(open("f", O_RDONLY));
    MUST(lseek(fd, 3, SEEK_SET));
    MUST(dup2(fd, 10));
    MUST(dup2(fd, 11));
    MUST(fcntl(11, F_SETFD, FD_CLOEXEC));
    fd = (int)MUST(open("f", O_RDONLY | O_CLOEXEC));
    MUST(fcntl(fd, F_DUPFD_CLOEXEC, 12));
    MUST(dup2(fd, 13));
    MUST(chdir("d"));
    umask(027);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_SETMASK, &set, NULL);
    raise(SIGTERM);
    stack_t ss = {.ss_sp = pages(4), .ss_size = 4 * PAGE};
    MUST(sigaltstack(&ss, NULL));
    MUST(setrlimit(RLIMIT_NOFILE, &r));
    snprintf(pid, sizeof(pid), "%d", getpid());
    MUST(getcwd(cwd, sizeof(cwd)) == NULL ? -1 : 0);
    MUST(execve("/proc/self/exe", args, env));
    return 1;
}
