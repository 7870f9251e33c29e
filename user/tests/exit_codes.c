/*
 * exit_codes.c - what a child's end looks like to its parent: by exit, by return, by
 * each kind of signal.
 *
 * Only the low eight bits of an exit code count.
 */
#include "test.h"

static void
leave(void *code)
{
    _exit((int)(intptr_t)code);
}

static void
die(void *sig)
{
    signal((int)(intptr_t)sig,
           SIG_DFL); /* whoever started us may have ignored it: nohup does */
    raise((int)(intptr_t)sig);
    wait_for_signals();
}

static void
do_abort(void *arg)
{
    (void)arg;
    abort();
}

static void
exit_now(void *arg)
{
    (void)arg;
    syscall(SYS_exit, 44);
}

int
main(void)
{
    static const int codes[] = {0, 1, 42, 127, 128, 255, 256, 257, -1};
    static const int signals[] = {SIGHUP,  SIGINT,  SIGQUIT,   SIGILL,  SIGTRAP,
                                  SIGBUS,  SIGFPE,  SIGKILL,   SIGUSR1, SIGSEGV,
                                  SIGUSR2, SIGPIPE, SIGALRM,   SIGTERM, SIGXCPU,
                                  SIGXFSZ, SIGSYS,  SIGVTALRM, SIGPROF, SIGIO};
    char name[32];

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        snprintf(name, sizeof(name), "_exit(%d)", codes[i]);
        show_status(name, in_child(leave, (void *)(intptr_t)codes[i]));
    }
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        show_status("raise", in_child(die, (void *)(intptr_t)signals[i]));
    show_status("abort()", in_child(do_abort, NULL));
    show_status("exit without _group", in_child(exit_now, NULL));
    return 33;
}
