/*
 * threads_share.c - what threads have in common: files, directory, umask, memory, limits; and
 * what each has of its own: the identity that the bare calls set.
 */
/* needs: root */
#include "threads.h"

static atomic_int step;
static char *map, *end;
static int fd;

/* The library's brk() of musl refuses everything, so: the bare call. */
static char *
bare_brk(char *end)
{
    return (char *)syscall(SYS_brk, end);
}

/* Does the half of each exchange that is not main's. */
static void *
other(void *arg)
{
    struct rlimit r = {77, 88};

    fd = open("made", O_CREAT | O_RDWR, 0666);
    MUST(write(fd, "12345", 5));
    MUST(mkdir("inner", 0700));
    MUST(chdir("inner"));
    umask(027);
    map = pages(2);
    map[PAGE] = 9;
    end = bare_brk(NULL);
    CHECK("brk", bare_brk(end + 4 * PAGE) == end + 4 * PAGE);
    end[PAGE] = 7;
    MUST(setrlimit(RLIMIT_NOFILE, &r));
    step = 1;
    await(&step, 1);
    show("a file that main closed", fcntl(fd, F_GETFD));
    CHECK("memory that main put there", map[PAGE] == 10);
    return arg;
}

static void
exchange(void)
{
    char name[512];
    struct rlimit r;

    pthread_t t = start(other, NULL);
    await(&step, 0);
    show("its file, at its place", lseek(fd, 0, SEEK_CUR));
    CHECK("its directory", getcwd(name, sizeof(name)) && strstr(name, "/inner"));
    show("its umask", umask(022));
    CHECK("its memory", map[PAGE] == 9);
    CHECK("its heap", end[PAGE] == 7 && bare_brk(NULL) == end + 4 * PAGE);
    MUST(getrlimit(RLIMIT_NOFILE, &r));
    say("its limits: %d %d\n", (int)r.rlim_cur, (int)r.rlim_max);
    MUST(close(fd));
    MUST(munmap(map, PAGE));
    void *p = mmap(map + PAGE, PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    MUST(p == MAP_FAILED ? -1 : 0);
    map[PAGE] = 10;
    step = 2;
    join(t);
    MUST(chdir(".."));
}

static void *
bare_identity(void *arg)
{
    MUST(syscall(SYS_setresuid, -1, 1000, -1));
    show("the thread's user", geteuid());
    return arg;
}

static atomic_int seen_uid;

static void *
look_at_identity(void *arg)
{
    step++;
    while (geteuid() == 0)
        sched_yield();
    seen_uid = (int)geteuid();
    return arg;
}

/* The library's seteuid goes round all threads by signals. */
static void
identity(void)
{
    pthread_t t[2];

    join(start(bare_identity, NULL));
    show("main's user", geteuid());
    step = 0;
    start_all(t, 2, look_at_identity);
    await_least(&step, 2);
    MUST(seteuid(1001));
    join_all(t, 2);
    show("by the library, all threads", seen_uid);
    MUST(seteuid(0));
    show("and back", geteuid());
}

int
main(void)
{
    exchange();
    identity();
    return finish();
}
