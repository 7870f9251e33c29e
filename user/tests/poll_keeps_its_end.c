/*
 * poll_keeps_its_end.c - a wait that is stopped and continued ends when it was to end at first,
 * however often that happens.
 */
#include "test.h"

#include <sys/select.h>
#include <time.h>

#define WAIT_MS 500
#define STEP_MS 200 /* shorter: who began anew each time would never come to an end */
#define PATIENT 30  /* steps */

static void
by_poll(void)
{
    MUST(poll(NULL, 0, WAIT_MS));
}

static void
by_ppoll(void)
{
    struct timespec t = {0, WAIT_MS * 1000000L};

    MUST(syscall(SYS_ppoll, NULL, 0, &t, NULL, 8));
}

static void
by_select(void)
{
    struct timeval t = {0, WAIT_MS * 1000L};

    MUST(syscall(SYS_select, 0, NULL, NULL, NULL, &t));
}

static void
by_nanosleep(void)
{
    struct timespec t = {0, WAIT_MS * 1000000L};

    MUST(nanosleep(&t, NULL));
}

static void
pause_for(long ms)
{
    struct timespec t = {0, ms * 1000000L};

    nanosleep(&t, NULL);
}

static void
disturb(const char *what, void (*wait)(void))
{
    pid_t pid = (pid_t)MUST(fork()), done = 0;

    if (pid == 0) {
        wait();
        _exit(0);
    }
    for (int n = 0; n < PATIENT && done == 0; n++) {
        pause_for(STEP_MS);
        kill(pid, SIGSTOP);
        kill(pid, SIGCONT);
        done = waitpid(pid, NULL, WNOHANG);
    }
    CHECK(what, done == pid);
    if (done == pid)
        return;
    kill(pid, SIGKILL);
    reap(pid);
}

int
main(void)
{
    disturb("poll ends", by_poll);
    disturb("ppoll ends", by_ppoll);
    disturb("select ends", by_select);
    disturb("nanosleep ends", by_nanosleep);
    return finish();
}
