/*
 * threads_limits.c - what is judged first and done then, while others act: a limit is not passed
 * by two at once, a signal not lost by one who looks for it and goes on, and a read that a signal
 * cuts short finds no end.
 */
#include "threads.h"

#include <sys/time.h>

#define MAPPERS 3
#define ROUNDS  1000
#define PIECE   (256 * PAGE)
#define LOOKS   100 /* for so long a piece stays */

static atomic_int ready, go, held, most, sent, alarms;

static void *
map_pieces(void *arg)
{
    ready++;
    await(&go, 0);
    for (int i = 0; i < ROUNDS; i++) {
        char *p = mmap(NULL, PIECE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            continue;
        held++;
        for (int look = 0; look < LOOKS; look++)
            if (held > most)
                most = held;
        held--; /* before there is room for another */
        munmap(p, PIECE);
    }
    return arg;
}

/* There is room for one piece, so two are never there. */
static void
address_space(void)
{
    pthread_t t[MAPPERS];
    struct rlimit old, new;

    MUST(getrlimit(RLIMIT_AS, &old));
    start_all(t, MAPPERS, map_pieces);
    await_least(&ready, MAPPERS);
    new = old;
    new.rlim_cur = (rlim_t)field_of("VmSize") * 1024 + PIECE + PIECE / 2;
    MUST(setrlimit(RLIMIT_AS, &new));
    go = 1;
    join_all(t, MAPPERS);
    MUST(setrlimit(RLIMIT_AS, &old));
    show("pieces at once", most);
}

static void *
send_signals(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        await(&ready, i);
        MUST(kill(getpid(), SIGURG));
        sent++;
    }
    return arg;
}

/* A signal that is blocked waits, though nobody would be told of it otherwise. */
static void
signals(void)
{
    struct timespec none = {0, 0};
    sigset_t set;
    int lost = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    MUST0(pthread_sigmask(SIG_BLOCK, &set, NULL));
    ready = 0;
    pthread_t t = start(send_signals, NULL);
    for (int taken = 0; taken < ROUNDS;) {
        int before = sent;

        ready = taken + 1;
        if (sigtimedwait(&set, NULL, &none) == SIGURG) {
            taken++;
            await(&sent, taken - 1);
        } else if (before > taken) {
            lost++;
            taken++;
        } else {
            sched_yield();
        }
    }
    join(t);
    show("signals lost", lost);
}

static void
on_alarm(int sig)
{
    (void)sig;
    alarms++;
}

/* However many signals come meanwhile. */
static void
reads(void)
{
    const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    int zero = (int)MUST(open("/dev/zero", O_RDONLY)), empty = 0;
    int random = (int)MUST(open("/dev/urandom", O_RDONLY));
    char bytes[16];

    MUST(sigaction(SIGALRM, &act, NULL));
    MUST(setitimer(ITIMER_REAL, &often, NULL));
    while (alarms < ROUNDS) {
        empty += read(zero, bytes, sizeof(bytes)) != sizeof(bytes);
        empty += read(random, bytes, sizeof(bytes)) != sizeof(bytes);
    }
    MUST(setitimer(ITIMER_REAL, &never, NULL));
    show("reads that found an end", empty);
}

int
main(void)
{
    address_space();
    signals();
    reads();
    return finish();
}
