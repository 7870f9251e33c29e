/*
 * default_actions.c - signals that are ignored by default, and ignored ones, do not hurt.
 *
 * SIGKILL and SIGSTOP can be neither caught, ignored nor blocked.
 */
#include "test.h"

static void
ignored_by_default(void *sig)
{
    raise((int)(intptr_t)sig);
    _exit(1);
}

static void
set_ignored(void *sig)
{
    signal((int)(intptr_t)sig, SIG_IGN);
    raise((int)(intptr_t)sig);
    _exit(2);
}

static void
block_all(void *sig)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    raise((int)(intptr_t)sig);
    _exit(3);
}

static void
handler(int sig)
{
    (void)sig;
}

int
main(void)
{
    show_status("SIGCHLD", in_child(ignored_by_default, (void *)SIGCHLD));
    show_status("SIGCONT", in_child(ignored_by_default, (void *)SIGCONT));
    show_status("SIGURG", in_child(ignored_by_default, (void *)SIGURG));
    show_status("SIGWINCH", in_child(ignored_by_default, (void *)SIGWINCH));
    show_status("ignored SIGTERM", in_child(set_ignored, (void *)SIGTERM));
    show_status("ignored SIGSEGV by raise", in_child(set_ignored, (void *)SIGSEGV));
    show_status("SIGKILL is not ignored", in_child(set_ignored, (void *)SIGKILL));
    show_status("SIGKILL is not blocked", in_child(block_all, (void *)SIGKILL));
    show_status("SIGTERM is blocked", in_child(block_all, (void *)SIGTERM));
    struct sigaction act = {.sa_handler = handler};
    show("catch SIGKILL", sigaction(SIGKILL, &act, NULL));
    show("catch SIGSTOP", sigaction(SIGSTOP, &act, NULL));
    show("catch signal 0", sigaction(0, &act, NULL));
    show("catch signal 65", sigaction(65, &act, NULL));
    show("catch SIGTERM", sigaction(SIGTERM, &act, NULL));
    show("wrong set size", syscall(SYS_rt_sigaction, SIGTERM, NULL, NULL, 4));
    show("wrong how", syscall(SYS_rt_sigprocmask, 77, &(sigset_t){0}, NULL, 8));
    return finish();
}
