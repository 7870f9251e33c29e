/*
 * limits_leave_locks.c - who sets the limits of a process does not take its record locks away,
 * also when it executes a program at that very moment.
 *
 * With several processors the two meet.  The child executes itself again and again, a lock in its
 * hands, and the parent sets a limit of its descriptors all the while.
 */
#include "test.h"

#define TIMES 150

static struct flock
whole(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

/* The child, in its n-th life. @ready: it has the lock; @end: it may go. */
static void
live(char **argv)
{
    char left[16];
    int n = atoi(argv[1]);
    struct gate end = {{atoi(argv[3]), -1}}, ready = {{-1, atoi(argv[2])}};
    char *again[] = {argv[0], left, argv[2], argv[3], NULL};

    snprintf(left, sizeof(left), "%d", n - 1);
    if (n > 0)
        MUST(execv("/proc/self/exe", again));
    gate_open(&ready);
    gate_wait(&end);
    _exit(0);
}

int
main(int argc, char **argv)
{
    struct gate locked, ready, end;
    struct flock l = whole(F_WRLCK);
    struct rlimit r;
    char word[3][16];
    char *first[] = {argv[0], word[0], word[1], word[2], NULL};

    if (argc == 4)
        live(argv);
    gate_make(&locked);
    gate_make(&ready);
    gate_make(&end);
    make_file("f", "", 0);
    int fd = (int)MUST(open("f", O_RDWR));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        MUST(fcntl(fd, F_SETLK, &l));
        gate_open(&locked);
        snprintf(word[0], sizeof(word[0]), "%d", TIMES);
        snprintf(word[1], sizeof(word[1]), "%d", ready.fd[1]);
        snprintf(word[2], sizeof(word[2]), "%d", end.fd[0]);
        MUST(execv("/proc/self/exe", first));
    }
    gate_wait(&locked);
    MUST(prlimit(pid, RLIMIT_NOFILE, NULL, &r));
    struct pollfd p = {ready.fd[0], POLLIN, 0};
    while (poll(&p, 1, 0) == 0) /* many times for each look */
        for (int k = 0; k < 50; k++)
            MUST(prlimit(pid, RLIMIT_NOFILE, &r, NULL));
    l = whole(F_RDLCK);
    MUST(fcntl(fd, F_GETLK, &l));
    CHECK("the child has its lock", l.l_type == F_WRLCK && l.l_pid == pid);
    gate_open(&end);
    show_status("the child", reap(pid));
    return finish();
}
