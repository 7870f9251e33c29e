/*
 * fault_signals.c - what a program is told about an access that is not possible.
 *
 * Checkpoints: n before the n-th access, and one at the end; each with the table of what was told.
 */
#include <setjmp.h>

#include "labs/lab.h"

static struct told {
    long signal, code;
    void *address, *wanted;
} told[8] __attribute__((aligned(256)));
static volatile long now;
static sigjmp_buf back;

static void
on_signal(int signal, siginfo_t *info, void *context)
{
    (void)context;
    told[now].signal = signal;
    told[now].code = info->si_code;
    told[now].address = info->si_addr;
    siglongjmp(back, 1);
}

enum what { TO_READ, TO_WRITE, TO_RUN };

static void
try(enum what what, char *address)
{
    told[now].wanted = address;
    checkpoint(now + 1, told, (long)address, 0);
    if (sigsetjmp(back, 1) == 0) {
        if (what == TO_READ)
            (void)*(volatile char *)address;
        else if (what == TO_WRITE)
            *(volatile char *)address = 1;
        else
            ((void (*)(void))(uintptr_t)address)();
    }
    now++;
}

/* One page of a file of 10 bytes, and one behind its end. */
static char *
map_file(void)
{
    make_file("/lab/short", "ten bytes!", 10);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE,
                   (int)MUST(open("/lab/short", O_RDONLY)), 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

int
main(int argc, char **argv)
{
    uint32_t in = seed_of(argc, argv) % PAGE; /* where in its page */
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    char *gone = pages(1), *none = pages(1), *fixed = pages(1), *data = pages(1);

    MUST(sigaction(SIGSEGV, &act, NULL));
    MUST(sigaction(SIGBUS, &act, NULL));
    MUST(mprotect(none, PAGE, PROT_NONE));
    memset(fixed, 1, PAGE);
    memset(data, 0xc3, PAGE); /* ret */
    MUST(mprotect(fixed, PAGE, PROT_READ));
    MUST(munmap(gone, PAGE));

    try(TO_READ, launder((char *)16));
    try(TO_WRITE, gone + in);
    try(TO_WRITE, fixed + in);
    try(TO_READ, none + in);
    try(TO_WRITE, none + in);
    try(TO_RUN, data + in);
    try(TO_READ, map_file() + PAGE + in);
    checkpoint(now + 1, told, (long)none, (long)fixed);
    return finish();
}
