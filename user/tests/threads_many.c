/*
 * threads_many.c - 500 threads at once, each with its stack in use; thousands one after
 * another, joined and detached.
 */
/* needs: 64M */
#include "threads.h"

#define COUNT 500
#define STACK (64 * 1024)
#define USED  (3 * PAGE)

static atomic_int here, wrong, gone;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int all_are_here;

static void *
stay(void *arg)
{
    intptr_t me = (intptr_t)arg;
    char mine[USED];

    memset(launder(mine), (int)(me & 255), USED);
    pthread_mutex_lock(&mutex);
    here++;
    while (!all_are_here)
        pthread_cond_wait(&cond, &mutex);
    pthread_mutex_unlock(&mutex);
    wrong += !all_bytes(launder(mine), USED, (unsigned char)me);
    return arg;
}

static void
at_once(void)
{
    static pthread_t t[COUNT];
    pthread_attr_t a;

    MUST0(pthread_attr_init(&a));
    MUST0(pthread_attr_setstacksize(&a, STACK));
    for (intptr_t i = 0; i < COUNT; i++)
        MUST0(pthread_create(&t[i], &a, stay, (void *)i));
    await_least(&here, COUNT);
    show("threads by /proc/self/status", field_of("Threads"));
    show("threads by /proc/self/task", count_tasks());
    pthread_mutex_lock(&mutex);
    all_are_here = 1;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    for (intptr_t i = 0; i < COUNT; i++)
        wrong += join(t[i]) != (void *)i;
    CHECK("each stack is a thread's own, and so is its result", wrong == 0);
    wait_tasks(1);
}

static void *
touch(void *arg)
{
    char mine[USED];

    memset(launder(mine), 1, USED);
    gone++;
    return arg;
}

static void
one_after_another(int detached)
{
    pthread_attr_t a;
    pthread_t t;

    MUST0(pthread_attr_init(&a));
    MUST0(pthread_attr_setstacksize(&a, STACK));
    if (detached)
        MUST0(pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED));
    gone = 0;
    for (int i = 0; i < 1000; i++) {
        MUST0(pthread_create(&t, &a, touch, NULL));
        if (!detached)
            join(t);
        while (detached && i - gone > 20)
            sched_yield();
    }
    await_least(&gone, 1000);
    wait_tasks(1);
    show(detached ? "detached, one after another" : "joined, one after another", gone);
}

static atomic_int may_go;

static void *
wait_to_go(void *arg)
{
    await(&may_go, 0);
    gone++;
    return arg;
}

int
main(void)
{
    at_once();
    one_after_another(0);
    long size = field_of("VmSize");
    one_after_another(1);
    CHECK("stacks were given back", field_of("VmSize") < size + 1000 * STACK / 1024 / 2);
    gone = 0;
    pthread_t t = start(wait_to_go, NULL);
    show_error("detach one that runs", pthread_detach(t));
    may_go = 1;
    await(&gone, 0);
    wait_tasks(1);
    show_error("detach one that has ended", pthread_detach(start(touch, NULL)));
    wait_tasks(1);
    return finish();
}
