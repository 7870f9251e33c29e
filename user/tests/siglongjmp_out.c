/*
 * siglongjmp_out.c - a handler may leave by siglongjmp, a thousand times.
 *
 * The mask comes back with it, and no kernel state of the signal is left behind.
 */
#include "test.h"

#include <setjmp.h>

static sigjmp_buf back;

static void
handler(int sig)
{
    siglongjmp(back, sig);
}

int
main(void)
{
    volatile int caught = 0;
    sigset_t now;

    signal(SIGSEGV, handler);
    signal(SIGFPE, handler);
    for (volatile int i = 0; i < 1000; i++) {
        int sig = sigsetjmp(back, 1);
        if (sig == 0 && i % 2 == 0)
            *(volatile char *)launder(NULL) = 1;
        else if (sig == 0)
            raise(SIGFPE);
        else
            caught += sig == (i % 2 == 0 ? SIGSEGV : SIGFPE);
    }
    say("caught %d\n", caught);
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK("nothing is blocked", !sigismember(&now, SIGSEGV) && !sigismember(&now, SIGFPE));
    return finish();
}
