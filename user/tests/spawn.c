/*
 * spawn.c - posix_spawn, also with threads beside it: file actions, attributes, errors.
 */
#include "threads.h"

#include <spawn.h>

static char self[256];
static atomic_int stop, turns;

/* The spawned program tells what it was given. */
static int
told(const char *what)
{
    char text[64], cwd[512];
    sigset_t s;

    if (strcmp(what, "status") == 0)
        return 11;
    if (strcmp(what, "attributes") == 0) {
        MUST(sigprocmask(SIG_BLOCK, NULL, &s));
        say("blocked: %d %d\n", sigismember(&s, SIGUSR1), sigismember(&s, SIGUSR2));
        struct sigaction a;
        MUST(sigaction(SIGTERM, NULL, &a));
        say("SIGTERM by default: %d\n", a.sa_handler == SIG_DFL);
        MUST(sigaction(SIGHUP, NULL, &a));
        say("SIGHUP ignored: %d\n", a.sa_handler == SIG_IGN);
        say("a process group of its own: %d\n", getpgrp() == getpid());
        return 12;
    }
    ssize_t n = read(0, text, sizeof(text));
    say("standard input: %.*s\n", (int)n, text);
    show("file 9", fcntl(9, F_GETFD));
    show("file 8", fcntl(8, F_GETFD));
    if (getcwd(cwd, sizeof(cwd)) && strrchr(cwd, '/'))
        say("in %s\n", strrchr(cwd, '/') + 1);
    return 13;
}

static void
spawned(const char *what, char *word, posix_spawn_file_actions_t *f, posix_spawnattr_t *a)
{
    char *args[] = {self, word, NULL}, *env[] = {NULL};
    pid_t pid;
    int error = posix_spawn(&pid, self, f, a, args, env);

    if (error != 0)
        show_error(what, error);
    else
        show_status(what, reap(pid));
}

static void
file_actions(void)
{
    posix_spawn_file_actions_t f;

    make_file("input", "words", 5);
    MUST(mkdir("inner", 0700));
    MUST(dup2(1, 8));
    MUST0(posix_spawn_file_actions_init(&f));
    MUST0(posix_spawn_file_actions_addopen(&f, 0, "input", O_RDONLY, 0));
    MUST0(posix_spawn_file_actions_adddup2(&f, 1, 9));
    MUST0(posix_spawn_file_actions_addclose(&f, 8));
    MUST0(posix_spawn_file_actions_addchdir_np(&f, "inner"));
    spawned("with file actions", "files", &f, NULL);
    MUST0(posix_spawn_file_actions_addopen(&f, 3, "no-such-file", O_RDONLY, 0));
    spawned("an action that fails", "files", &f, NULL);
    show("our file 8", fcntl(8, F_GETFD));
}

static void
attributes(void)
{
    posix_spawnattr_t a;
    sigset_t s;

    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    MUST0(posix_spawnattr_init(&a));
    MUST0(posix_spawnattr_setflags(&a, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                           POSIX_SPAWN_SETPGROUP));
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    MUST0(posix_spawnattr_setsigmask(&a, &s));
    sigemptyset(&s);
    sigaddset(&s, SIGTERM);
    MUST0(posix_spawnattr_setsigdefault(&a, &s));
    MUST0(posix_spawnattr_setpgroup(&a, 0));
    spawned("with attributes", "attributes", NULL, &a);
}

static void *
spawn_many(void *arg)
{
    char *args[] = {self, "status", NULL}, *env[] = {NULL};
    int wrong = 0;

    for (int i = 0; i < 10; i++) {
        pid_t pid;
        int error = posix_spawn(&pid, self, NULL, NULL, args, env);
        wrong += error != 0 || WEXITSTATUS(reap(pid)) != 11;
    }
    return (void *)(intptr_t)(wrong + 0 * (intptr_t)arg);
}

static void *
turn(void *arg)
{
    while (!stop)
        turns++;
    return arg;
}

int
main(int argc, char **argv)
{
    pthread_t t[3];
    pid_t pid;
    char *args[] = {"nothing", NULL};
    intptr_t wrong = 0;

    if (argc > 1)
        return told(argv[1]);
    MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
    spawned("plain", "status", NULL, NULL);
    show_error("no such program", posix_spawn(&pid, "/no/such", NULL, NULL, args, args + 1));
    show_error("in no directory of PATH",
               posix_spawnp(&pid, "no-such-program", NULL, NULL, args, args + 1));
    file_actions();
    attributes();
    pthread_t other = start(turn, NULL);
    start_all(t, 3, spawn_many);
    for (int i = 0; i < 3; i++)
        wrong += (intptr_t)join(t[i]);
    stop = 1;
    join(other);
    CHECK("30 programs by three threads while a fourth ran", wrong == 0 && turns > 0);
    show("no child is left", wait(NULL));
    return finish();
}
