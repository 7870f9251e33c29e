/*
 * promises_kept.c - under strict accounting, what was promised is there.
 *
 * With an argument: asks for memory, a mebibyte at a time, until it is refused, and touches all
 * of it.  Without (a machine that overcommits would never refuse): asks for eight.
 */
#include "test.h"

#define STEP (1UL << 20)

static char *
ask(size_t len)
{
    char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

int
main(int argc, char **argv)
{
    static char *got[4096];
    size_t n = 0, most = argc > 1 ? 4096 : 8, wrong = 0;
    pid_t child;

    (void)argv;
    while (n < most && (got[n] = ask(STEP)) != NULL)
        n++;
    say("got %zu MiB\n", n);
    if (argc > 1) {
        say("refused: %s\n", errno_name(errno));
        child = fork();
        if (child == 0)
            _exit(0);
        say("fork: %s\n", child < 0 ? errno_name(errno) : "ok");
    }
    for (size_t i = 0; i < n; i++)
        for (size_t at = 0; at < STEP; at += PAGE)
            memcpy(got[i] + at, &i, sizeof(i));
    for (size_t i = 0; i < n; i++)
        for (size_t at = 0; at < STEP; at += PAGE)
            wrong += memcmp(got[i] + at, &i, sizeof(i)) != 0;
    say(wrong == 0 ? "all was touched\n" : "something is wrong\n");
    for (size_t i = 0; i < n; i += 2)
        munmap(got[i], STEP);
    say("after giving back: %s\n", ask(n / 3 * STEP) != NULL ? "ok" : "refused");
    return 0;
}
