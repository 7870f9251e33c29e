/*
 * futex_calls.c - the bare futex calls between threads: who is woken, who is moved, what
 * ends a wait, and what is refused.
 */
#include "threads.h"

static int word, word2;

struct wait {
    int *word;
    int op;
    unsigned bits;
    const struct timespec *until;
    atomic_int tid;
    long result;
    int error;
};

static void *
waiter(void *arg)
{
    struct wait *w = arg;

    w->tid = my_tid();
    w->result = futex(w->word, w->op, 0, w->until, NULL, (int)w->bits);
    w->error = errno;
    return w;
}

static pthread_t
start_waiter(struct wait *w)
{
    w->tid = 0;
    pthread_t t = start(waiter, w);
    await(&w->tid, 0);
    wait_asleep(w->tid);
    return t;
}

static void
end(const char *what, pthread_t t)
{
    struct wait *w = join(t);

    errno = w->error;
    show(what, w->result);
}

/* Four waiters; wake one, then all. */
static void
wakes(void)
{
    struct wait w[4];
    pthread_t t[4];

    for (int i = 0; i < 4; i++) {
        w[i] = (struct wait){.word = &word, .op = FUTEX_WAIT | FUTEX_PRIVATE};
        t[i] = start_waiter(&w[i]);
    }
    show("wake one", futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 1, NULL, NULL, 0));
    show("wake two", futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 2, NULL, NULL, 0));
    show("wake all", futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, INT32_MAX, NULL, NULL, 0));
    show("nobody is left", futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 9, NULL, NULL, 0));
    for (int i = 0; i < 4; i++)
        end("woken", t[i]);
}

static void
bits(void)
{
    struct wait w[2] = {
        {.word = &word, .op = FUTEX_WAIT_BITSET, .bits = 1},
        {.word = &word, .op = FUTEX_WAIT_BITSET, .bits = 6},
    };
    pthread_t a = start_waiter(&w[0]), b = start_waiter(&w[1]);

    show("wake bit 8", futex(&word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 8));
    show("wake bit 2", futex(&word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 2));
    end("the one with 6", b);
    show("wake with all bits", futex(&word, FUTEX_WAKE, 9, NULL, NULL, 0));
    end("the one with 1", a);
    show("wait for no bit", futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    show("wake no bit", futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
}

/* Four waiters: one is woken, three are moved, and are found where they were moved to. */
static void
moves(int op)
{
    struct wait w[4];
    pthread_t t[4];

    for (int i = 0; i < 4; i++) {
        w[i] = (struct wait){.word = &word, .op = FUTEX_WAIT};
        t[i] = start_waiter(&w[i]);
    }
    show("move, but the value is another",
         futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)9, &word2, 5));
    show("wake one, move two", futex(&word, op, 1, (void *)2, &word2, 0));
    show("who is still here", futex(&word, FUTEX_WAKE, 9, NULL, NULL, 0));
    show("who was moved", futex(&word2, FUTEX_WAKE, 9, NULL, NULL, 0));
    for (int i = 0; i < 4; i++)
        end("woken", t[i]);
    show("a negative number", futex(&word, op, -1, (void *)1, &word2, 0));
}

static void
times(void)
{
    struct timespec t = {0, 20000000}, late;

    show("wait, 20 ms", futex(&word, FUTEX_WAIT, 0, &t, NULL, 0));
    t = in_ms(CLOCK_MONOTONIC, 20);
    show("until a time", futex(&word, FUTEX_WAIT_BITSET, 0, &t, NULL, -1));
    MUST(clock_gettime(CLOCK_MONOTONIC, &late));
    CHECK("it was that time",
          late.tv_sec > t.tv_sec || (late.tv_sec == t.tv_sec && late.tv_nsec >= t.tv_nsec));
    t = in_ms(CLOCK_REALTIME, 20);
    show("until a date", futex(&word, FUTEX_WAIT_BITSET | FUTEX_REALTIME, 0, &t, NULL, -1));
    t = in_ms(CLOCK_REALTIME, -5000);
    show("until a date that is past",
         futex(&word, FUTEX_WAIT_BITSET | FUTEX_REALTIME, 0, &t, NULL, -1));
    t = (struct timespec){0, 0};
    show("no time", futex(&word, FUTEX_WAIT, 0, &t, NULL, 0));
    show("another value, no time", futex(&word, FUTEX_WAIT, 1, &t, NULL, 0));
    t = (struct timespec){0, 1000000000};
    show("too many nanoseconds", futex(&word, FUTEX_WAIT, 0, &t, NULL, 0));
    t = (struct timespec){-1, 0};
    show("negative seconds", futex(&word, FUTEX_WAIT, 0, &t, NULL, 0));
    show("a time from nowhere", futex(&word, FUTEX_WAIT, 0, (void *)PAGE, NULL, 0));
}

static void
places(void)
{
    char *page = pages(2);

    MUST(mprotect(page, PAGE, PROT_READ));
    MUST(munmap(page + PAGE, PAGE));
    struct timespec t = {0, 1000000};
    show("wait at NULL", futex(NULL, FUTEX_WAIT, 0, &t, NULL, 0));
    show("wait where nothing is", futex(page + PAGE, FUTEX_WAIT, 0, &t, NULL, 0));
    show("wait in the kernel", futex((void *)0xffffffff80000000, FUTEX_WAIT, 0, &t, NULL, 0));
    show("wake in the kernel", futex((void *)0xffffffff80000000, FUTEX_WAKE, 1, NULL, NULL, 0));
    show("wait on a page that may only be read",
         futex(page, FUTEX_WAIT | FUTEX_PRIVATE, 0, &t, NULL, 0));
    show("wait across words", futex((char *)&word + 2, FUTEX_WAIT, 0, &t, NULL, 0));
    show("wake across words", futex((char *)&word + 2, FUTEX_WAKE, 1, NULL, NULL, 0));
    show("another value", futex(&word, FUTEX_WAIT, 5, NULL, NULL, 0));
    show("an operation that is not", futex(&word, 77, 5, NULL, NULL, 0));
    show("a date for a wait of some time",
         futex(&word, FUTEX_WAIT | FUTEX_REALTIME, 0, &t, NULL, 0));
    show("a date for an operation without one",
         futex(&word, FUTEX_WAKE | FUTEX_REALTIME, 5, NULL, NULL, 0));
}

static atomic_int handled;

static void
handler(int sig)
{
    (void)sig;
    handled++;
}

/* A handler ends a wait, unless it was installed with SA_RESTART and there is no timeout. */
static void
interrupts(const char *what, int flags, const struct timespec *until)
{
    struct sigaction a = {.sa_handler = handler, .sa_flags = flags};
    struct wait w = {.word = &word, .op = FUTEX_WAIT, .until = until};

    handled = 0;
    MUST(sigaction(SIGUSR1, &a, NULL));
    pthread_t t = start_waiter(&w);
    MUST(syscall(SYS_tgkill, getpid(), w.tid, SIGUSR1));
    await(&handled, 0);
    if (flags && !until) {
        wait_asleep(w.tid);
        show("it went on to wait", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
    }
    end(what, t);
}

int
main(void)
{
    struct timespec long_time = {100000, 0};

    wakes();
    bits();
    moves(FUTEX_REQUEUE);
    moves(FUTEX_CMP_REQUEUE);
    times();
    places();
    interrupts("a signal", 0, NULL);
    interrupts("a signal, with SA_RESTART", SA_RESTART, NULL);
    interrupts("a signal, with a timeout", 0, &long_time);
    interrupts("a signal, with SA_RESTART and a timeout", SA_RESTART, &long_time);
    return finish();
}
