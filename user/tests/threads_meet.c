/*
 * threads_meet.c - barriers, read-write locks, semaphores and pthread_once.
 */
#include "threads.h"

#include <semaphore.h>

#define PARTIES 6
#define ROUNDS  100

static pthread_barrier_t barrier;
static atomic_int arrived, serial, early;

static void *
meet(void *arg)
{
    for (int i = 1; i <= ROUNDS; i++) {
        arrived++;
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            serial++;
        if (arrived < i * PARTIES)
            early++;
        pthread_barrier_wait(&barrier);
    }
    return arg;
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2];
static atomic_int torn;

static void *
writer(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        pthread_rwlock_wrlock(&rwlock);
        pair[0]++;
        if (i % 16 == 0)
            sched_yield();
        pair[1]++;
        pthread_rwlock_unlock(&rwlock);
    }
    return arg;
}

static void *
reader(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        pthread_rwlock_rdlock(&rwlock);
        torn += pair[0] != pair[1];
        pthread_rwlock_unlock(&rwlock);
    }
    return arg;
}

static void *
try_both(void *arg)
{
    struct timespec soon = in_ms(CLOCK_REALTIME, 20);
    int error = pthread_rwlock_tryrdlock(&rwlock);

    show_error("tryrdlock", error);
    if (error == 0)
        pthread_rwlock_unlock(&rwlock);
    show_error("trywrlock", pthread_rwlock_trywrlock(&rwlock));
    show_error("timedwrlock", pthread_rwlock_timedwrlock(&rwlock, &soon));
    return arg;
}

static void
read_write_locks(void)
{
    pthread_t t[5];

    start_all(t, 2, writer);
    start_all(t + 2, 3, reader);
    join_all(t, 5);
    CHECK("a writer is alone", torn == 0 && pair[0] == 2000 && pair[1] == 2000);
    say("while main reads\n");
    pthread_rwlock_rdlock(&rwlock);
    join(start(try_both, NULL));
    pthread_rwlock_unlock(&rwlock);
    say("while main writes\n");
    pthread_rwlock_wrlock(&rwlock);
    join(start(try_both, NULL));
    pthread_rwlock_unlock(&rwlock);
}

static sem_t *ping, *pong;

static void *
answer(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        while (sem_wait(ping) != 0) {
        }
        sem_post(pong);
    }
    return arg;
}

static void
volley(void)
{
    for (int i = 0; i < 1000; i++) {
        sem_post(ping);
        while (sem_wait(pong) != 0) {
        }
    }
}

static void
semaphores(void)
{
    struct timespec soon = in_ms(CLOCK_REALTIME, 20);
    int value = -1;

    ping = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(ping == MAP_FAILED ? -1 : 0);
    pong = ping + 1;
    MUST(sem_init(ping, 1, 0));
    MUST(sem_init(pong, 1, 0));
    show("trywait", sem_trywait(ping));
    show("timedwait", sem_timedwait(ping, &soon));
    pthread_t t = start(answer, NULL);
    volley();
    join(t);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        answer(NULL);
        _exit(0);
    }
    volley();
    show_status("a process that answered", reap(pid));
    sem_getvalue(ping, &value);
    show("what is left", value);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int done, finished, too_early;

static void
do_once(void)
{
    done++;
    for (int i = 0; i < 50; i++)
        sched_yield();
    finished = 1;
}

static void *
ask_once(void *arg)
{
    pthread_once(&once, do_once);
    too_early += !finished;
    return arg;
}

int
main(void)
{
    pthread_t t[PARTIES];

    MUST0(pthread_barrier_init(&barrier, NULL, PARTIES));
    start_all(t, PARTIES, meet);
    join_all(t, PARTIES);
    CHECK("nobody leaves a barrier before all have come", early == 0);
    CHECK("one of them is told so, each time", serial == ROUNDS);
    read_write_locks();
    semaphores();
    start_all(t, PARTIES, ask_once);
    join_all(t, PARTIES);
    CHECK("pthread_once: once, and all wait for it", done == 1 && too_early == 0);
    return finish();
}
