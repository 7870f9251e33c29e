/*
 * prctl_settings.c - what a process may say about itself: its name, who takes its orphans, what
 * comes when its parent ends, and that exec shall give it nothing new.
 */
/* needs: root */
#include "test.h"

#include <sys/prctl.h>

static void
names(void)
{
    char name[16] = "";

    show("a long name", prctl(PR_SET_NAME, "abcdefghijklmnopqrstuvwxyz"));
    MUST(prctl(PR_GET_NAME, name));
    say("%s\n", name);
    show("from nowhere", prctl(PR_SET_NAME, 8));
    show("to nowhere", prctl(PR_GET_NAME, 8));
}

/* A child whose parent ends gets the signal that it asked for. */
static void
die_after_telling(void *arg)
{
    struct gate *g = arg;
    pid_t pid = (pid_t)MUST(fork());

    if (pid == 0) {
        int sig = 0;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        MUST(sigprocmask(SIG_BLOCK, &set, NULL));
        MUST(prctl(PR_SET_PDEATHSIG, SIGUSR1));
        MUST(prctl(PR_GET_PDEATHSIG, &sig));
        say("asked for %s\n", signal_name(sig));
        gate_open(&g[0]);
        MUST(sigwaitinfo(&set, NULL));
        gate_wait(&g[1]);
        say("the parent has ended\n");
        gate_open(&g[2]);
        _exit(0);
    }
    gate_wait(&g[0]);
}

static void
death_signal(void)
{
    struct gate g[3];
    int sig = -1;

    for (int i = 0; i < 3; i++)
        gate_make(&g[i]);
    show_status("the parent", in_child(die_after_telling, g));
    gate_open(&g[1]);
    gate_wait(&g[2]);
    MUST(prctl(PR_SET_PDEATHSIG, SIGUSR2));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        MUST(prctl(PR_GET_PDEATHSIG, &sig));
        _exit(sig);
    }
    show_status("a child begins without", reap(pid));
    MUST(prctl(PR_SET_PDEATHSIG, 0));
    show("no such signal", prctl(PR_SET_PDEATHSIG, 65));
    show("get to nowhere", prctl(PR_GET_PDEATHSIG, 8));
}

static void
leave_an_orphan(void *arg)
{
    (void)arg;
    if (MUST(fork()) == 0)
        _exit(42);
}

static void
subreaper(void *arg)
{
    int on = -1, status;

    (void)arg;
    MUST(prctl(PR_GET_CHILD_SUBREAPER, &on));
    say("before: %d\n", on);
    show("be one", prctl(PR_SET_CHILD_SUBREAPER, 1));
    MUST(prctl(PR_GET_CHILD_SUBREAPER, &on));
    say("after: %d\n", on);
    show_status("the child", in_child(leave_an_orphan, NULL));
    MUST(wait(&status));
    show_status("its orphan", status);
    show("that was all", wait(NULL));
}

/* A set-user-ID copy of this program, run by another user. */
static void
no_new_privs(void *arg)
{
    (void)arg;
    MUST(setresuid(1000, 1000, 1000));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        execl("./copy", "copy", NULL);
    show_status("set-user-ID", reap(pid));
    show("before", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    show("not 0", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    show("nothing else", prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    show("set", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    show("after", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    pid = (pid_t)MUST(fork());
    if (pid == 0)
        execl("./copy", "copy", NULL);
    show_status("without new privileges", reap(pid));
}

static void
copy_program(const char *to)
{
    char buf[4096];
    int in = (int)MUST(open("/proc/self/exe", O_RDONLY));
    int out = (int)MUST(open(to, O_CREAT | O_WRONLY | O_TRUNC, 0755));
    ssize_t n;

    while ((n = read(in, buf, sizeof(buf))) > 0)
        MUST(write(out, buf, (size_t)n));
    close(in);
    close(out);
}

int
main(int argc, char **argv)
{
    (void)argc;
    if (strcmp(argv[0], "copy") == 0) {
        say("as root: %d\n", geteuid() == 0);
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    }
    names();
    death_signal();
    show_status("subreaper", in_child(subreaper, NULL));
    copy_program("copy");
    MUST(chmod(".", 0755));
    MUST(chmod("copy", 04755));
    show_status("no new privileges", in_child(no_new_privs, NULL));
    CHECK("capabilities that can exist", prctl(PR_CAPBSET_READ, 0) >= 0);
    show("those that cannot", prctl(PR_CAPBSET_READ, 64));
    show("no such option", prctl(12345));
    return finish();
}
