/*
 * process_vm_secrets.c - the memory of a process that is not dumpable is open to its owner no more
 * than its core would be; to root, and to itself, it is.
 */
/* needs: root */
#include "test.h"

#include <sys/prctl.h>
#include <sys/uio.h>

#define OWNER 40123

static char secret[] = "secret"; /* at the same address in all */

static void
ask(const char *what, pid_t pid)
{
    char word[sizeof(secret)] = "";
    struct iovec l = {word, sizeof(word)}, r = {secret, sizeof(secret)};

    show(what, process_vm_readv(pid, &l, 1, &r, 1, 0));
    show("  write", process_vm_writev(pid, &r, 1, &r, 1, 0));
}

static void
become_owner(int dumpable)
{
    MUST(setresgid(OWNER, OWNER, OWNER));
    MUST(setresuid(OWNER, OWNER, OWNER));
    MUST(prctl(PR_SET_DUMPABLE, dumpable));
}

static void
keep(int dumpable)
{
    struct gate g;

    gate_make(&g);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        become_owner(dumpable);
        gate_open(&g);
        for (;;)
            wait_for_signals();
    }
    gate_wait(&g);
    ask("root", pid);
    pid_t other = (pid_t)MUST(fork());
    if (other == 0) {
        become_owner(0);
        ask("the owner", pid);
        ask("itself", getpid());
        _exit(0);
    }
    reap(other);
    MUST(kill(pid, SIGKILL));
    reap(pid);
}

int
main(void)
{
    say("dumpable\n");
    keep(1);
    say("not dumpable\n");
    keep(0);
    return finish();
}
