/*
 * tlb_stacks.c - many threads begin and end on every processor: the kernel's stacks for them
 * come and go, and each call finds its own.
 */
#include "tlb.h"

#define THREADS 40
#define ROUNDS  6

static int cpus, gate_pipe[2];

/* Something that needs the kernel's stack, and sleeps on it. */
static void *
thread_main(void *arg)
{
    unsigned long me = (unsigned long)arg;
    char path[64], text[64];
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(me % (unsigned)cpus, &set);
    (void)sched_setaffinity(0, sizeof(set), &set);
    snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", syscall(SYS_gettid));
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text));

    close(fd);
    char c;
    (void)!read(gate_pipe[0], &c, 1); /* until all are there */
    return (void *)(n > 0 ? me + 1 : 0);
}

int
main(void)
{
    pthread_t threads[THREADS];
    cpu_set_t all;

    MUST(sched_getaffinity(0, sizeof(all), &all));
    cpus = CPU_COUNT(&all);
    for (unsigned long round = 0; round < ROUNDS; round++) {
        unsigned long began = 0, right = 0;
        void *told;

        MUST(pipe(gate_pipe));
        for (unsigned long i = 0; i < THREADS; i++)
            began += pthread_create(&threads[i], NULL, thread_main, (void *)(i + round)) == 0;
        close(gate_pipe[1]);
        for (unsigned long i = 0; i < began; i++)
            right += pthread_join(threads[i], &told) == 0 && told == (void *)(i + round + 1);
        close(gate_pipe[0]);
        say("threads that began: %lu, that found their own: %lu\n", began, right);
    }
    return finish();
}
