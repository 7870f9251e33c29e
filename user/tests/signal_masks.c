/*
 * signal_masks.c - sigprocmask's three ways, the mask during a handler, sigsuspend, and
 * what a child inherits.
 */
#include "test.h"

static volatile sig_atomic_t in_handler_blocked, trace;

static void
usr1(int sig)
{
    sigset_t now;

    (void)sig;
    sigprocmask(SIG_BLOCK, NULL, &now);
    in_handler_blocked = sigismember(&now, SIGUSR1) * 100 + sigismember(&now, SIGUSR2) * 10 +
                         sigismember(&now, SIGTERM);
    raise(SIGUSR2); /* blocked until this handler returns */
    trace = trace * 10 + 1;
}

static void
usr2(int sig)
{
    (void)sig;
    trace = trace * 10 + 2;
}

static int
blocked(int sig)
{
    sigset_t now;

    sigprocmask(SIG_BLOCK, NULL, &now);
    return sigismember(&now, sig);
}

static void
child(void *arg)
{
    sigset_t set;

    (void)arg;
    CHECK("a child inherits the mask", blocked(SIGHUP));
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    CHECK("but not what is pending", !blocked(SIGHUP)); /* SIGHUP would have killed it */
}

int
main(void)
{
    struct sigaction act = {.sa_handler = usr1};
    sigset_t set, old, none;

    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &old);
    CHECK("SIG_BLOCK adds", blocked(SIGHUP) && !blocked(SIGTERM));
    raise(SIGHUP);
    show_status("child", in_child(child, NULL));
    signal(SIGHUP, SIG_IGN); /* also discards the pending one */
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    CHECK("SIG_UNBLOCK takes away", !blocked(SIGHUP));
    sigaddset(&set, SIGKILL);
    sigaddset(&set, SIGSTOP);
    sigprocmask(SIG_SETMASK, &set, NULL);
    CHECK("SIGKILL and SIGSTOP are never in it", !blocked(SIGKILL) && !blocked(SIGSTOP));
    sigprocmask(SIG_SETMASK, &none, NULL);

    sigaddset(&act.sa_mask, SIGUSR2);
    MUST(sigaction(SIGUSR1, &act, NULL));
    signal(SIGUSR2, usr2);
    raise(SIGUSR1);
    say("blocked in the handler %d, order %d\n", (int)in_handler_blocked, (int)trace);
    CHECK("the old mask is back", !blocked(SIGUSR1) && !blocked(SIGUSR2));

    trace = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR2);
    say("before sigsuspend %d\n", (int)trace);
    show("sigsuspend", sigsuspend(&none));
    say("after it %d\n", (int)trace);
    CHECK("the mask is the old one", blocked(SIGUSR2));
    return finish();
}
