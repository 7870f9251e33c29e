/*
 * file_locks.c - advisory locks: who waits for whom, and what closing takes away.
 *
 * flock between open files, also two that share and both want all; record locks between
 * processes, and one whose descriptor is closed while it is waited for.
 */
/* also: tmpfs */
#include "test.h"

#include <sched.h>
#include <sys/file.h>

static int
record(int fd, int cmd, int type, long start, long len)
{
    struct flock l = {.l_type = (short)type, .l_start = start, .l_len = len};

    return fcntl(fd, cmd, &l);
}

/* Both sides share the lock and then want all of it: each must let go of its share. */
static void
both_upgrade(void)
{
    int fd = (int)MUST(open("f", O_RDWR)), p[2];
    char c;

    MUST(pipe(p));
    MUST(flock(fd, LOCK_SH));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        alarm(20);
        int own = (int)MUST(open("f", O_RDWR));
        MUST(flock(own, LOCK_SH));
        MUST(write(p[1], "x", 1));
        MUST(flock(own, LOCK_EX));
        _exit(0);
    }
    alarm(20);
    MUST(read(p[0], &c, 1));
    show("one upgrades", flock(fd, LOCK_EX));
    MUST(flock(fd, LOCK_UN));
    int status = -1;
    MUST(waitpid(pid, &status, 0));
    show("and then the other", status);
    alarm(0);
    close(fd);
}

static void
flocks(void)
{
    int a = (int)MUST(open("f", O_RDWR)), b = (int)MUST(open("f", O_RDWR));

    show("share", flock(a, LOCK_SH));
    show("share twice", flock(b, LOCK_SH | LOCK_NB));
    show("want all", flock(a, LOCK_EX | LOCK_NB));
    show("the share was lost by that", flock(b, LOCK_EX | LOCK_NB));
    show("have all twice", flock(b, LOCK_EX | LOCK_NB));
    show("share again", flock(a, LOCK_SH | LOCK_NB));
    show("less is enough", flock(b, LOCK_SH | LOCK_NB));
    show("now share again", flock(a, LOCK_SH | LOCK_NB));
    close(a);
    close(b);
}

static int waiting_fd;
static volatile int wait_result = -99;

static int
wait_for_record(void *unused)
{
    (void)unused;
    wait_result = record(waiting_fd, F_SETLKW, F_WRLCK, 0, 10) == 0 ? 0 : errno;
    return 0;
}

/* A thread waits for a lock; its descriptor is closed before the lock comes. */
static void
closed_while_waiting(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    int to[2], from[2], thread_end;
    char c;

    MUST(pipe(to));
    MUST(pipe(from));
    waiting_fd = (int)MUST(open("f", O_RDWR));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        close(waiting_fd);
        int fd = (int)MUST(open("f", O_RDWR));
        MUST(record(fd, F_SETLK, F_WRLCK, 0, 10));
        MUST(write(from[1], "x", 1));
        MUST(read(to[0], &c, 1));
        MUST(record(fd, F_SETLK, F_UNLCK, 0, 10));
        MUST(read(to[0], &c, 1));
        int r = record(fd, F_SETLK, F_WRLCK, 0, 10);
        _exit(r == 0 ? 0 : 1);
    }
    MUST(read(from[0], &c, 1));
    show("taken", record(waiting_fd, F_SETLK, F_RDLCK, 5, 1));
    pid_t tid = (pid_t)MUST(
        clone(wait_for_record, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, NULL));
    usleep(50000); /* now it waits */
    close(waiting_fd);
    MUST(write(to[1], "x", 1));
    MUST(waitpid(tid, &thread_end, 0));
    say("the one that waited: %s\n", wait_result == 0 ? "0" : errno_name(wait_result));
    MUST(write(to[1], "x", 1));
    int status = -1;
    MUST(waitpid(pid, &status, 0));
    show("nobody has it", status);
}

int
main(void)
{
    make_file("f", "0123456789", 10);
    flocks();
    both_upgrade();
    closed_while_waiting();
    return finish();
}
