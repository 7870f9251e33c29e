/*
 * threads_mutex.c - the kinds of pthread mutex: normal, recursive, error-checking, timed,
 * and robust ones whose owner dies.
 */
#include "threads.h"

#define WORKERS 4
#define TURNS   5000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long sum;

static void *
add(void *arg)
{
    for (int i = 0; i < TURNS; i++) {
        pthread_mutex_lock(&mutex);
        long seen = sum;
        if (i % 64 == 0)
            sched_yield(); /* others come to the lock while it is held */
        sum = seen + 1;
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void
make(pthread_mutex_t *m, int type, int robust, int shared)
{
    pthread_mutexattr_t a;

    MUST0(pthread_mutexattr_init(&a));
    MUST0(pthread_mutexattr_settype(&a, type));
    if (robust)
        MUST0(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST));
    if (shared)
        MUST0(pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED));
    MUST0(pthread_mutex_init(m, &a));
}

/* What a second thread is told: trylock, and unlock when it has the mutex. */
static void *
try(void *m)
{
    int error = pthread_mutex_trylock(m);

    if (error == 0)
        pthread_mutex_unlock(m);
    return (void *)(intptr_t)error;
}

static void *
unlock(void *m)
{
    return (void *)(intptr_t)pthread_mutex_unlock(m);
}

static void
other(const char *what, void *(*fn)(void *), pthread_mutex_t *m)
{
    show_error(what, (int)(intptr_t)join(start(fn, m)));
}

static void
kinds(void)
{
    pthread_mutex_t m;

    make(&m, PTHREAD_MUTEX_RECURSIVE, 0, 0);
    show_error("recursive: lock", pthread_mutex_lock(&m));
    show_error("lock again", pthread_mutex_lock(&m));
    show_error("unlock", pthread_mutex_unlock(&m));
    other("another thread's try while it is locked once", try, &m);
    show_error("unlock again", pthread_mutex_unlock(&m));
    other("another thread's try after", try, &m);

    make(&m, PTHREAD_MUTEX_ERRORCHECK, 0, 0);
    show_error("error-checking: lock", pthread_mutex_lock(&m));
    show_error("lock again", pthread_mutex_lock(&m));
    other("another thread's unlock", unlock, &m);
    show_error("destroyed by no one: unlock", pthread_mutex_unlock(&m));
    show_error("unlock once more", pthread_mutex_unlock(&m));
}

/* Three times that a thread is ready to wait for a mutex that main holds. */
static void *
wait_in_vain(void *arg)
{
    struct timespec soon = in_ms(CLOCK_REALTIME, 30), gone = in_ms(CLOCK_REALTIME, -1000), now;
    struct timespec wrong = {.tv_sec = soon.tv_sec + 1000, .tv_nsec = 1000000000};

    show_error("timedlock", pthread_mutex_timedlock(&mutex, &soon));
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK("not before its time", now.tv_sec > soon.tv_sec || (now.tv_sec == soon.tv_sec &&
                                                              now.tv_nsec >= soon.tv_nsec));
    show_error("timedlock in the past", pthread_mutex_timedlock(&mutex, &gone));
    show_error("timedlock at no time", pthread_mutex_timedlock(&mutex, &wrong));
    return arg;
}

static void *
lock_and_die(void *m)
{
    MUST0(pthread_mutex_lock(m));
    return NULL;
}

/* The owner is dead; the next one hears of it, and mends the mutex or leaves it broken. */
static void
heir(pthread_mutex_t *m, int mend)
{
    show_error("lock after its owner died", pthread_mutex_lock(m));
    if (mend)
        show_error("consistent", pthread_mutex_consistent(m));
    show_error("unlock", pthread_mutex_unlock(m));
    show_error(mend ? "lock when it was mended" : "lock when it was not mended",
               pthread_mutex_lock(m));
    if (mend)
        show_error("unlock", pthread_mutex_unlock(m));
}

static void
robust_between_processes(void)
{
    pthread_mutex_t *m =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct gate held, go;

    MUST(m == MAP_FAILED ? -1 : 0);
    make(m, PTHREAD_MUTEX_NORMAL, 1, 1);
    gate_make(&held);
    gate_make(&go);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        pthread_mutex_lock(m);
        gate_open(&held);
        gate_wait(&go);
        raise(SIGKILL);
    }
    gate_wait(&held);
    show_error("a process holds it", pthread_mutex_trylock(m));
    gate_open(&go);
    heir(m, 1); /* sleeps until the process is dead, if it is not yet */
    show_status("the owner", reap(pid));
}

int
main(void)
{
    pthread_t t[WORKERS];
    pthread_mutex_t m;

    start_all(t, WORKERS, add);
    join_all(t, WORKERS);
    CHECK("no addition is lost", sum == WORKERS * TURNS);
    kinds();

    pthread_mutex_lock(&mutex);
    join(start(wait_in_vain, NULL));
    pthread_mutex_unlock(&mutex);

    make(&m, PTHREAD_MUTEX_NORMAL, 1, 0);
    join(start(lock_and_die, &m));
    heir(&m, 1);
    join(start(lock_and_die, &m));
    heir(&m, 0);
    robust_between_processes();
    return finish();
}
