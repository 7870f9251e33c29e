/*
 * Chapter 8: the stack grows by being touched, down to a limit.
 */
#include "tour.h"

#define LIMIT (1UL << 20)

static long *depth; /* shared with the child that goes too deep */

/* Each call has 16 KiB of its own on the stack. */
__attribute__((noinline)) static int
down(int calls)
{
    volatile char room[4 * PAGE];

    *depth += 1;
    room[0] = (char)calls;
    return calls > 1 ? down(calls - 1) + room[0] : room[0];
}

/* By its line in /proc/self/maps. */
static unsigned long
stack_size(void)
{
    char line[256];
    unsigned long start = 0, end = 0;
    FILE *f = fopen("/proc/self/maps", "r");

    must(f != NULL, "/proc/self/maps");
    while (fgets(line, sizeof(line), f) != NULL)
        if (strstr(line, "[stack]") != NULL)
            sscanf(line, "%lx-%lx", &start, &end);
    fclose(f);
    return end - start;
}

static void
show(int calls)
{
    unsigned long size = stack_size();
    long before = faults();

    down(calls);
    long after = faults();
    say("    %9d   %14lu   %12lu   %6ld\n", calls, size / 1024, stack_size() / 1024,
        after - before);
}

int
main(void)
{
    struct rlimit limit = {LIMIT, LIMIT};

    depth = shared();
    stack_size(); /* what it needs itself is there now */
    begin(8);
    say("A function calls itself, and each call takes 16 KiB of stack:\n\n"
        "        calls   stack before, KiB   and after   faults\n");
    show(10);
    show(20);
    show(20);
    show(40);
    *depth = 0;
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_STACK, &limit);
        _exit(down(1 << 20));
    }
    int status = ended(child), sig = WTERMSIG(status);
    say("\nA child whose limit (ulimit -s) is %lu KiB goes on calling for ever.\n"
        "In call %ld it is ended by signal %d (%s).\n\n"
        "A store below the stack faults, for nothing is mapped there. The kernel sees\n"
        "that a stack is above, makes it longer, and gives it a page. It does not shrink\n"
        "again: the second 20 calls cost nothing. Below the limit there is always a gap,\n"
        "so a stack that runs wild faults, and does not write into its neighbour.\n",
        LIMIT / 1024, *depth, sig, strsignal(sig));
    return sig == SIGSEGV ? 0 : 1;
}
