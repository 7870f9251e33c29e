/*
 * segv_handler_mends.c - a handler that makes the page accessible and returns lets the
 * instruction run again.
 *
 * What garbage collectors and the paging lessons of user space do.
 */
#include "test.h"

#define N 16

static char *map;
static volatile sig_atomic_t faults, wrong;

static void
handler(int sig, siginfo_t *info, void *context)
{
    char *page = (char *)((uintptr_t)info->si_addr & ~(PAGE - 1));

    (void)sig;
    (void)context;
    faults++;
    if (page < map || page >= map + N * PAGE || info->si_code != SEGV_ACCERR)
        wrong++;
    if (faults > 100 || mprotect(page, PAGE, PROT_READ | PROT_WRITE) != 0)
        _exit(55);
}

int
main(void)
{
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

    map = mmap(NULL, N * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(sigaction(SIGSEGV, &act, NULL));
    for (int i = 0; i < N; i++)
        map[i * PAGE + 7] = (char)i;
    say("%d faults, %d strange\n", (int)faults, (int)wrong);
    int sum = 0;
    for (int i = 0; i < N; i++)
        sum += map[i * PAGE + 7];
    say("sum %d after %d faults\n", sum, (int)faults);
    MUST(mprotect(map, N * PAGE, PROT_READ));
    for (int i = 0; i < N; i += 2)
        map[i * PAGE + 7] += 1;
    say("%d faults, %d strange\n", (int)faults, (int)wrong);
    MUST(mprotect(map, N * PAGE, PROT_NONE));
    int p[2];
    MUST(pipe(p));
    show("the kernel does not call the handler", write(p[1], map, 1));
    say("%d faults\n", (int)faults);
    return finish();
}
