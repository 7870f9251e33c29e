/*
 * tlb_who.c - one process on CPUs 0 and 1, another on CPU 2, and on CPU 3 a thread of the first
 * that sleeps: who may remember its pages, and who is asked to forget?
 *
 * Checkpoints: 1 each is at its place; 2 a thousand pages were unmapped one by one; 3 a thousand,
 * ten at a time; 4 a thousand, a hundred at a time; 5 the sleeper is awake, and has looked at
 * pages that were replaced while it slept.
 */
#include "../crew.h"
#include "user/tests/threads.h"

#define COUNT 1000
#define FEW   16

static uint32_t seed;
static char *few;
static struct gate wake;
static unsigned *there; /* A: who is at their place, in memory that both processes see */
static int leave;       /* A */

static void
arrive(unsigned cpu)
{
    pin_to(cpu);
    __atomic_add_fetch(there, 1, __ATOMIC_RELEASE);
}

static void
await_there(unsigned count)
{
    while (__atomic_load_n(there, __ATOMIC_ACQUIRE) < count)
        moment();
}

static void
spin(void)
{
    while (!__atomic_load_n(&leave, __ATOMIC_ACQUIRE))
        moment();
}

static void *
runs(void *arg)
{
    arrive(1);
    spin();
    return arg;
}

/* It remembers the few pages, sleeps, and looks at them again. */
static void *
sleeps(void *tid)
{
    pin_to(3);
    *(pid_t *)tid = (pid_t)syscall(SYS_gettid);
    obey(3);
    arrive(3);
    gate_wait(&wake);
    report.stored = 0;
    obey(3);
    arrive(3);
    spin();
    return tid;
}

static pid_t
another_process(void)
{
    pid_t child = (pid_t)MUST(fork());

    if (child == 0) {
        arrive(2);
        spin();
    }
    return child;
}

static void
unmap(char *p, size_t at_a_time)
{
    for (size_t k = 0; k < COUNT; k += at_a_time)
        MUST(munmap(p + k * PAGE, at_a_time * PAGE));
}

int
main(int argc, char **argv)
{
    char *p = pages(3 * COUNT);
    pthread_t runner, sleeper;
    pid_t tid = 0;

    seed = seed_of(argc, argv);
    there = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    few = pages(FEW);
    gate_make(&wake);
    catch_faults();
    pid_t other = another_process();
    fill(few, FEW, seed);
    for (size_t k = 0; k < 3 * COUNT; k++)
        p[k * PAGE] = 1;
    report.start = few;
    report.pages = FEW;
    report.stored = 1;
    order.seed = seed;
    pin_to(0);
    runner = start(runs, NULL);
    sleeper = start(sleeps, &tid);
    await_there(3);
    wait_asleep(tid);
    usleep(2000); /* and its CPU idles */
    checkpoint(1, NULL, other, 0);
    unmap(p, 1);
    checkpoint(2, NULL, COUNT, 1);
    unmap(p + COUNT * PAGE, 10);
    checkpoint(3, NULL, COUNT / 10, 10);
    unmap(p + 2 * COUNT * PAGE, 100);
    checkpoint(4, NULL, COUNT / 100, 100);

    MUST(mmap(few, FEW * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
              -1, 0) == few
             ? 0
             : -1);
    fill(few, FEW, seed + 1);
    gate_open(&wake);
    await_there(4);
    checkpoint(5, &report, 0, 0);
    __atomic_store_n(&leave, 1, __ATOMIC_RELEASE);
    MUST0(pthread_join(runner, NULL));
    MUST0(pthread_join(sleeper, NULL));
    MUST(kill(other, SIGKILL));
    (void)reap(other);
    return finish();
}
