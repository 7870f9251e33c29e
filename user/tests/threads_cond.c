/*
 * threads_cond.c - condition variables: signal, broadcast, timed waits, between processes.
 */
#include "threads.h"

#define TURNS   2000
#define WAITERS 8

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn, waiting, released;

/* Two threads wake each other in turn. */
static void *
player(void *arg)
{
    int me = (int)(intptr_t)arg;

    pthread_mutex_lock(&mutex);
    for (int i = 0; i < TURNS; i++) {
        while (turn % 2 != me)
            pthread_cond_wait(&cond, &mutex);
        turn++;
        pthread_cond_signal(&cond);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void *
waiter(void *arg)
{
    pthread_mutex_lock(&mutex);
    waiting++;
    while (released == 0)
        pthread_cond_wait(&cond, &mutex);
    released++;
    pthread_mutex_unlock(&mutex);
    return arg;
}

static void
broadcast(void)
{
    pthread_t t[WAITERS];

    start_all(t, WAITERS, waiter);
    pthread_mutex_lock(&mutex);
    while (waiting < WAITERS) {
        pthread_mutex_unlock(&mutex);
        sched_yield();
        pthread_mutex_lock(&mutex);
    }
    released = 1;
    pthread_cond_broadcast(&cond); /* with the mutex held: the waiters move on to it */
    pthread_mutex_unlock(&mutex);
    join_all(t, WAITERS);
    CHECK("a broadcast reaches all", released == 1 + WAITERS);
}

static void
timed(const char *name, clockid_t clock)
{
    pthread_cond_t c;
    pthread_condattr_t a;
    struct timespec until, now;
    int error = 0;

    MUST0(pthread_condattr_init(&a));
    MUST0(pthread_condattr_setclock(&a, clock));
    MUST0(pthread_cond_init(&c, &a));
    until = in_ms(clock, 30);
    pthread_mutex_lock(&mutex);
    while (error == 0)
        error = pthread_cond_timedwait(&c, &mutex, &until);
    show_error(name, error);
    clock_gettime(clock, &now);
    CHECK("not before its time", now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec &&
                                                               now.tv_nsec >= until.tv_nsec));
    pthread_mutex_unlock(&mutex);
}

/* A ring of four places, three who fill it and three who empty it. */
static int ring[4], head, tail;
static long taken;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;

static void *
producer(void *arg)
{
    for (int i = 1; i <= TURNS; i++) {
        pthread_mutex_lock(&mutex);
        while (head - tail == 4)
            pthread_cond_wait(&not_full, &mutex);
        ring[head++ % 4] = i;
        pthread_cond_signal(&not_empty);
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void *
consumer(void *arg)
{
    for (int i = 0; i < TURNS; i++) {
        pthread_mutex_lock(&mutex);
        while (head == tail)
            pthread_cond_wait(&not_empty, &mutex);
        taken += ring[tail++ % 4];
        pthread_cond_signal(&not_full);
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

struct pair {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int word;
};

static void
between_processes(void)
{
    struct pair *p =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t m;
    pthread_condattr_t c;

    MUST(p == MAP_FAILED ? -1 : 0);
    pthread_mutexattr_init(&m);
    pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&p->mutex, &m);
    pthread_condattr_init(&c);
    pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&p->cond, &c);
    pid_t pid = (pid_t)MUST(fork());
    int me = pid == 0;
    pthread_mutex_lock(&p->mutex);
    for (int i = 0; i < 200; i++) {
        while (p->word % 2 != me)
            pthread_cond_wait(&p->cond, &p->mutex);
        p->word++;
        pthread_cond_broadcast(&p->cond);
    }
    pthread_mutex_unlock(&p->mutex);
    if (pid == 0)
        _exit(0);
    show_status("the other process", reap(pid));
    CHECK("each had its turns", p->word == 400);
}

int
main(void)
{
    pthread_t t[6];

    start_all(t, 2, player);
    join_all(t, 2);
    CHECK("two threads in turn", turn == 2 * TURNS);
    broadcast();
    timed("timedwait, CLOCK_REALTIME", CLOCK_REALTIME);
    timed("timedwait, CLOCK_MONOTONIC", CLOCK_MONOTONIC);
    start_all(t, 3, producer);
    start_all(t + 3, 3, consumer);
    join_all(t, 6);
    CHECK("all that was put was taken", taken == 3L * TURNS * (TURNS + 1) / 2);
    between_processes();
    return finish();
}
