/*
 * threads_cancel.c - cancellation, deferred and at once, in each kind of blocking call, and
 * the cleanup handlers.
 */
#include "threads.h"

#include <semaphore.h>

static atomic_int tid, cleaned, order;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static struct gate gate;

static void
clean(void *digit)
{
    order = order * 10 + (int)(intptr_t)digit;
    cleaned++;
}

static void
unlock(void *m)
{
    cleaned++;
    pthread_mutex_unlock(m);
}

static void *
in_read(void *arg)
{
    char c;

    pthread_cleanup_push(clean, (void *)1);
    pthread_cleanup_push(clean, (void *)2);
    tid = my_tid();
    if (read(gate.fd[0], &c, 1) >= 0)
        return arg;
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *
in_nanosleep(void *arg)
{
    struct timespec long_time = {100000, 0};

    pthread_cleanup_push(clean, (void *)3);
    tid = my_tid();
    nanosleep(&long_time, NULL);
    pthread_cleanup_pop(0);
    return arg;
}

static void *
in_cond_wait(void *arg)
{
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    tid = my_tid();
    for (;;)
        pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(0);
    return arg;
}

static void *
in_sem_wait(void *arg)
{
    pthread_cleanup_push(clean, (void *)4);
    tid = my_tid();
    while (sem_wait(&sem) != 0) {
    }
    pthread_cleanup_pop(0);
    return arg;
}

static void *
in_pause(void *arg)
{
    pthread_cleanup_push(clean, (void *)5);
    tid = my_tid();
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return arg;
}

static void *
sleeper(void *arg)
{
    tid = my_tid();
    pause();
    return arg;
}

static pthread_t slept;

static void *
in_join(void *arg)
{
    pthread_cleanup_push(clean, (void *)6);
    tid = my_tid();
    pthread_join(slept, NULL);
    pthread_cleanup_pop(0);
    return arg;
}

/* Start the thread, wait until it sleeps in its call, cancel it, look. */
static void
cancel(const char *what, void *(*fn)(void *))
{
    tid = cleaned = order = 0;
    pthread_t t = start(fn, &tid);
    await(&tid, 0);
    wait_asleep(tid);
    show_error(what, pthread_cancel(t));
    CHECK("it ended as one that was cancelled", join(t) == PTHREAD_CANCELED);
    say("%d handlers, in the order %d\n", cleaned, order);
}

static atomic_int asked, passed;

static void *
deferred(void *arg)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    tid = my_tid();
    await(&asked, 0);
    pthread_testcancel();
    struct timespec no_time = {0, 1};
    nanosleep(&no_time, NULL);
    passed = 1;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    passed = 2; /* enabled, but no cancellation point was met yet */
    pthread_testcancel();
    passed = 3;
    return arg;
}

static void *
at_once(void *arg)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    tid = my_tid();
    for (;;)
        __asm__ volatile("pause");
    return arg;
}

int
main(void)
{
    gate_make(&gate);
    MUST(sem_init(&sem, 0, 0));
    cancel("in read", in_read);
    cancel("in nanosleep", in_nanosleep);
    cancel("in pthread_cond_wait", in_cond_wait);
    show_error("its mutex is free", pthread_mutex_trylock(&mutex));
    cancel("in sem_wait", in_sem_wait);
    cancel("in pause", in_pause);
    tid = 0;
    slept = start(sleeper, NULL);
    await(&tid, 0);
    cancel("in pthread_join", in_join);
    pthread_cancel(slept);
    CHECK("the one it waited for can still be joined", join(slept) == PTHREAD_CANCELED);

    tid = 0;
    pthread_t t = start(deferred, NULL);
    await(&tid, 0);
    show_error("while it is disabled", pthread_cancel(t));
    asked = 1;
    CHECK("cancelled later", join(t) == PTHREAD_CANCELED);
    show("it came as far as", passed);
    tid = 0;
    t = start(at_once, NULL);
    await(&tid, 0);
    show_error("in a loop without calls", pthread_cancel(t));
    CHECK("cancelled at once", join(t) == PTHREAD_CANCELED);
    return finish();
}
