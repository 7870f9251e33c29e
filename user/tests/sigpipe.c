/*
 * sigpipe.c - a write to a pipe that nobody reads is SIGPIPE, and EPIPE for those who
 * ignore it.
 */
#include "test.h"

static volatile sig_atomic_t seen;

static void
handler(int sig)
{
    seen = sig;
}

static void
write_it(void *arg)
{
    int p[2];

    MUST(pipe(p));
    close(p[0]);
    if (arg != NULL)
        signal(SIGPIPE, (void (*)(int))arg);
    show("write", write(p[1], "x", 1));
    show("write nothing", write(p[1], "", 0));
    say("handler saw %s\n", signal_name(seen));
}

int
main(void)
{
    show_status("default", in_child(write_it, NULL));
    show_status("ignored", in_child(write_it, (void *)(uintptr_t)SIG_IGN));
    show_status("caught", in_child(write_it, (void *)(uintptr_t)handler));
    return finish();
}
