/*
 * yield_gives_way.c - who waits with sched_yield() leaves the processor to who has work to do.
 */
#include "test.h"

#include <sched.h>

int
main(void)
{
    stay_here();
    long before = used_ms(RUSAGE_SELF);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        while (used_ms(RUSAGE_SELF) < 300)
            continue;
        _exit(0);
    }
    while (waitpid(pid, NULL, WNOHANG) == 0)
        sched_yield();
    CHECK("waiting took no more than the work", used_ms(RUSAGE_SELF) - before < 900);
    return finish();
}
