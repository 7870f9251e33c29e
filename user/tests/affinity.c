/* A thread runs where it may and nowhere else, from the moment that it has asked for it. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "test.h"

static int
here(void)
{
    unsigned cpu = 0, node = 1;

    if (syscall(SYS_getcpu, &cpu, &node, NULL) != 0 || node != 0)
        return -1;
    return (int)cpu;
}

/* On each CPU in turn; at none is it found anywhere else, however often it gives way. */
static void
goes_round(const cpu_set_t *all)
{
    cpu_set_t one, now;
    int stays = 1, says_so = 1;

    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        says_so &= sched_setaffinity(0, sizeof(one), &one) == 0;
        for (int i = 0; i < 20; i++) {
            stays &= here() == cpu;
            sched_yield();
        }
        CPU_ZERO(&now);
        says_so &= sched_getaffinity(0, sizeof(now), &now) == 0;
        says_so &= CPU_EQUAL(&now, &one);
    }
    CHECK("it runs on the one CPU that it may run on", stays);
    CHECK("and the kernel says the same", says_so);
}

static void
child_inherits(void)
{
    int cpu = here(), status;
    pid_t child = fork();

    if (child == 0)
        _exit(here() == cpu ? 0 : 1);
    CHECK("a child may run where its parent may",
          waitpid(child, &status, 0) == child && status == 0);
}

/* A process that sleeps, and one that spins, are sent elsewhere by another. */
static void
others(const cpu_set_t *all)
{
    cpu_set_t first;
    int status, cpu = 0;

    while (!CPU_ISSET(cpu, all))
        cpu++;
    CPU_ZERO(&first);
    CPU_SET(cpu, &first);
    CHECK("it may run everywhere again", sched_setaffinity(0, sizeof(*all), all) == 0);

    pid_t child = fork();

    if (child == 0)
        for (;;)
            if (here() == cpu && sched_getaffinity(0, sizeof(first), &first) == 0 &&
                CPU_COUNT(&first) == 1)
                _exit(0);
    CHECK("another process is sent to a CPU",
          sched_setaffinity(child, sizeof(first), &first) == 0);
    CHECK("and comes to it although it spins",
          waitpid(child, &status, 0) == child && status == 0);
}

int
main(void)
{
    cpu_set_t all, none;

    CPU_ZERO(&all);
    CPU_ZERO(&none);
    CHECK("some CPU is its own", sched_getaffinity(0, sizeof(all), &all) == 0);
    goes_round(&all);
    child_inherits();
    others(&all);
    CHECK("no CPU: EINVAL", sched_setaffinity(0, sizeof(none), &none) == -1 && errno == EINVAL);
    CHECK("no such thread: ESRCH",
          sched_setaffinity(0x3fffffff, sizeof(all), &all) == -1 && errno == ESRCH);
    CHECK("no room for the answer: EINVAL",
          syscall(SYS_sched_getaffinity, 0, 1, &all) == -1 && errno == EINVAL);
    return 0;
}
