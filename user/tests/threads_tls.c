/*
 * threads_tls.c - thread-local storage: variables, errno, keys and their destructors.
 */
#include "threads.h"

#define COUNT 8

static __thread int first = 41;
static __thread _Alignas(64) char zeros[5000];
static __thread char *text = "text";
static atomic_int bad;

static void *
variables(void *arg)
{
    int me = (int)(intptr_t)arg;

    bad += first != 41 || strcmp(text, "text") != 0 || (uintptr_t)zeros % 64 != 0;
    bad += !all_bytes(zeros, sizeof(zeros), 0);
    first += me;
    memset(zeros, me, sizeof(zeros));
    errno = 100 + me;
    for (int i = 0; i < 200; i++) {
        sched_yield();
        bad += first != 41 + me || !all_bytes(zeros, sizeof(zeros), (unsigned char)me);
        bad += errno != 100 + me;
    }
    return &first;
}

static pthread_key_t key, again, never;
static atomic_int destroyed, rounds, wrongly;

static void
destroy(void *value)
{
    destroyed += (int)(intptr_t)value;
}

/* Sets itself once more, as often as it is asked to: the library gives up in the end. */
static void
set_again(void *value)
{
    rounds++;
    pthread_setspecific(again, value);
}

static void
not_called(void *value)
{
    (void)value;
    wrongly++;
}

static void *
keys(void *arg)
{
    int me = (int)(intptr_t)arg;

    bad += pthread_getspecific(key) != NULL;
    pthread_setspecific(key, (void *)(intptr_t)(me + 1));
    if (me == 0)
        pthread_setspecific(again, &key);
    pthread_setspecific(never, &key);
    pthread_setspecific(never, NULL);
    sched_yield();
    bad += pthread_getspecific(key) != (void *)(intptr_t)(me + 1);
    if (me % 2)
        pthread_exit(NULL);
    return NULL;
}

int
main(void)
{
    pthread_t t[COUNT];

    errno = 7;
    start_all(t, COUNT, variables);
    join_all(t, COUNT);
    CHECK("main's errno is as it was", errno == 7);
    CHECK("variables are each thread's own", bad == 0);
    CHECK("main's are as they were", first == 41 && zeros[0] == 0);

    MUST0(pthread_key_create(&key, destroy));
    MUST0(pthread_key_create(&again, set_again));
    MUST0(pthread_key_create(&never, not_called));
    start_all(t, COUNT, keys);
    join_all(t, COUNT);
    CHECK("values of a key are each thread's own", bad == 0);
    show("sum of what was destroyed", destroyed);
    CHECK("a destructor that sets its key again runs again, and not for ever",
          rounds >= 1 && rounds <= 64);
    CHECK("NULL is not destroyed", wrongly == 0);
    return finish();
}
