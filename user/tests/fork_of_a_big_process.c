/*
 * fork_of_a_big_process.c - a process of 32 MiB forks where there is no room for a second
 * 32 MiB, and only what is written is copied.
 *
 * With the argument "measure" (guest only) it also prints what 100 written pages cost.
 */
/* needs: 64M */
#include "test.h"

#define N       8192
#define WRITTEN 100

static long
free_kib(void)
{
    static char text[2048];
    int fd = (int)MUST(open("/proc/meminfo", O_RDONLY));
    ssize_t n = MUST(read(fd, text, sizeof(text) - 1));

    close(fd);
    text[n] = '\0';
    char *line = strstr(text, "MemFree:");
    return line == NULL ? -1 : atol(line + 8);
}

static void
child(char *map, int measure)
{
    long before = 0, after = 0;

    if (measure) {
        free_kib(); /* its own pages are copied now, not while it counts */
        before = free_kib();
    }
    for (int i = 0; i < WRITTEN; i++)
        map[i * (N / WRITTEN) * PAGE] = 'c';
    if (measure) {
        after = free_kib();
        say("written %d pages, used %ld KiB\n", WRITTEN, before - after);
    }
    int wrong = 0;
    for (int i = 0; i < N; i++)
        wrong += map[i * PAGE + 1] != 'p';
    CHECK("the child sees all the rest", wrong == 0);
}

int
main(int argc, char **argv)
{
    int measure = argc > 1 && strcmp(argv[1], "measure") == 0;
    char *map = pages(N);
    long before = 0;

    memset(map, 'p', N * PAGE);
    if (measure)
        before = free_kib();
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        if (measure)
            say("fork used %ld KiB\n", before - free_kib());
        child(map, measure);
        _exit(test_failures ? 1 : 0);
    }
    show_status("child", reap(pid));
    CHECK("the parent's memory is as it was", all_bytes(map, N * PAGE, 'p'));
    return finish();
}
