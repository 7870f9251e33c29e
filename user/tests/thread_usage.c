/*
 * thread_usage.c - getrusage(RUSAGE_THREAD) counts what this thread has used, not its siblings.
 */
#include "test.h"

#include <pthread.h>
#include <time.h>

static void *
work(void *arg)
{
    while (used_ms(RUSAGE_THREAD) < 300)
        continue;
    CHECK("the worker has used the processor", used_ms(RUSAGE_SELF) >= 300);
    return arg;
}

int
main(void)
{
    pthread_t t;

    MUST(pthread_create(&t, NULL, work, NULL) == 0 ? 0 : -1);
    MUST(pthread_join(t, NULL) == 0 ? 0 : -1);
    CHECK("both together, the dead one too", used_ms(RUSAGE_SELF) >= 300);
    CHECK("the one that slept", used_ms(RUSAGE_THREAD) < 200);
    show("nobody", getrusage(17, &(struct rusage){0}));
    return finish();
}
