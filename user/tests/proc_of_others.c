/*
 * proc_of_others.c - what /proc tells a stranger about a process, and what it does not: the
 * places of its memory, its environment, its pages.
 */
/* needs: root */
#include "test.h"

#include <stdbool.h>
#include <sys/prctl.h>

static const char *const names[] = {"maps",   "smaps", "environ", "pagemap", "stat",
                                    "status", "statm", "cmdline", "comm",    "limits"};

static void
look(const char *who, pid_t pid)
{
    char path[64], byte;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
        int fd = open(path, O_RDONLY);
        say("%s opens %s: %s\n", who, names[i], fd == -1 ? errno_name(errno) : "ok");
        if (fd == -1)
            continue;
        if (strcmp(names[i], "pagemap") != 0)
            say("  and reads it: %s\n", read(fd, &byte, 1) == -1 ? errno_name(errno) : "ok");
        close(fd);
    }
}

static void
become(uid_t user)
{
    MUST(setresgid(user, user, user));
    MUST(setresuid(user, user, user));
    MUST(prctl(PR_SET_DUMPABLE, 1)); /* which changing the user took away */
}

static void
as_stranger(void *arg)
{
    pid_t mine = getpid();

    become(1000);
    look("a stranger", *(pid_t *)arg);
    look("oneself", mine);
    MUST(prctl(PR_SET_DUMPABLE, 0));
    show("maps of oneself, not dumpable", open("/proc/self/maps", O_RDONLY) == -1 ? -1 : 0);
}

static void
as_friend(void *arg)
{
    become(1001);
    look("the same user", *(pid_t *)arg);
}

/* The same user again, but the process may not be dumped. */
static void
as_refused_friend(void *arg)
{
    char path[64];

    become(1001);
    snprintf(path, sizeof(path), "/proc/%d/maps", *(pid_t *)arg);
    show("maps of a process that may not be dumped", open(path, O_RDONLY) == -1 ? -1 : 0);
}

static pid_t
somebody(bool dumpable)
{
    struct gate ready;

    gate_make(&ready);
    pid_t pid = (pid_t)MUST(fork());
    if (pid != 0) {
        gate_wait(&ready);
        return pid;
    }
    become(1001);
    MUST(prctl(PR_SET_DUMPABLE, dumpable));
    gate_open(&ready);
    for (;;)
        pause();
}

int
main(void)
{
    pid_t pid = somebody(true);

    show_status("a stranger", in_child(as_stranger, &pid));
    show_status("a friend", in_child(as_friend, &pid));
    look("root", pid);
    MUST(kill(pid, SIGKILL));
    MUST(waitpid(pid, NULL, 0));
    pid = somebody(false);
    show_status("a refused friend", in_child(as_refused_friend, &pid));
    MUST(kill(pid, SIGKILL));
    MUST(waitpid(pid, NULL, 0));
    return finish();
}
