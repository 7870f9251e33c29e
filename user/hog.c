/*
 * hog.c - takes as much as it gets of one thing, to show what the kernel does about it.
 *
 *     hog KIND [COUNT]      run COUNT (1) hogs of a kind at once, and tell how each ended
 *
 * A hog stops when a call refuses it, and says with which error; or it is killed.  COUNT
 * hogs first wait for each other, so that all want memory at the same time.
 */
#include "user/tests/test.h"

#include <sys/prctl.h>

#define MIB (1UL << 20)

/* What a hog that was refused says. */
static void
refused(const char *call)
{
    say("%s: %s\n", call, errno_name(errno));
    _exit(0);
}

static void
touch_all(int flags, int fd, size_t size, size_t step)
{
    char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);

    if (m == MAP_FAILED)
        refused("mmap");
    for (size_t at = 0; at < size; at += step)
        m[at] = 1;
    say("there was enough\n");
    _exit(0);
}

static void
hog_memory(void)
{
    touch_all(MAP_PRIVATE | MAP_ANONYMOUS, -1, 4096 * MIB, PAGE);
}

static void
hog_shared(void)
{
    touch_all(MAP_SHARED | MAP_ANONYMOUS, -1, 4096 * MIB, PAGE);
}

/* A file in memory, through a mapping or, where it may be larger, by write(). */
static void
hog_shm(void)
{
    int fd = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);

    if (fd == -1) { /* no nameless files */
        fd = open("/dev/shm/hog", O_CREAT | O_RDWR, 0600);
        unlink("/dev/shm/hog");
    }
    if (fd == -1 || ftruncate(fd, 4096 * MIB) == -1)
        refused("ftruncate");
    touch_all(MAP_SHARED, fd, 4096 * MIB, PAGE);
}

static void
hog_tmpfs(void)
{
    static char block[65536];
    char path[32];

    snprintf(path, sizeof(path), "/tmp/hog-%d", getpid());
    int fd = open(path, O_CREAT | O_WRONLY, 0600);

    memset(block, 1, sizeof(block));
    while (fd != -1 && write(fd, block, sizeof(block)) > 0)
        ;
    int e = errno;
    unlink(path);
    errno = e;
    refused("write");
}

/* A page in each 2 MiB costs as much for tables as for itself. */
static void
hog_tables(void)
{
    touch_all(MAP_PRIVATE | MAP_ANONYMOUS, -1, 1UL << 45, 2 * MIB);
}

/* Reading costs tables only. */
static void
hog_tables_by_reading(void)
{
    size_t size = 1UL << 45;
    volatile char *m =
        mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (m == MAP_FAILED)
        refused("mmap");
    for (size_t at = 0; at < size; at += 2 * MIB)
        (void)m[at];
    say("there was enough\n");
    _exit(0);
}

/* Regions that cannot be merged. */
static void
hog_regions(void)
{
    for (unsigned i = 0;; i++)
        if (mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0) == MAP_FAILED)
            refused("mmap");
}

/* A process that waits; and so on until fork refuses. They end with us. */
static void
hog_processes(void)
{
    setpgid(0, 0);
    for (;;) {
        pid_t pid = fork();

        if (pid == 0)
            for (;;)
                pause();
        if (pid == -1)
            break;
    }
    say("fork: %s\n", errno_name(errno));
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(NULL) > 0)
        ;
    _exit(0);
}

/* Every process forks as fast as it can, until fork refuses; then it waits to be killed. */
static void
hog_bomb(void)
{
    pid_t pid = fork();

    if (pid == -1)
        refused("fork");
    if (pid == 0) {
        setpgid(0, 0);
        while (fork() != -1)
            ;
        for (;;)
            pause();
    }
    usleep(300 * 1000);
    while (kill(-pid, SIGKILL) == 0 && waitpid(pid, NULL, WNOHANG) == 0)
        usleep(1000);
    while (kill(-pid, SIGKILL) == 0)
        usleep(1000);
    say("the bomb is no more\n");
    _exit(0);
}

/* As many descriptors as there may be, by pipes, each full; the children do the same. */
static void
hog_pipes(void)
{
    static char block[65536];
    int fd[2], children = 0;

    for (;;) {
        if (pipe(fd) == 0) {
            fcntl(fd[1], F_SETFL, O_NONBLOCK);
            if (write(fd[1], block, sizeof(block)) != -1)
                continue;
            refused("write");
        }
        if (errno != EMFILE || ++children > 8)
            refused("pipe");
        pid_t pid = fork();
        if (pid == -1)
            refused("fork");
        if (pid != 0) {
            wait(NULL);
            _exit(0);
        }
        for (int i = 3; i < 4096; i += 2) /* each pipe keeps one end in our parent */
            close(i);
    }
}

/* The same with files, which are smaller. */
static void
hog_files(void)
{
    for (unsigned i = 0;; i++)
        if (open("/", O_RDONLY) == -1) {
            if (errno != EMFILE)
                refused("open");
            pid_t pid = fork();
            if (pid == -1)
                refused("fork");
            if (pid != 0) {
                wait(NULL);
                _exit(0);
            }
            for (int fd = 3; fd < 4096; fd += 2)
                close(fd);
        }
}

/* Directories in memory. */
static void
hog_names(void)
{
    char path[64];

    for (unsigned i = 0;; i++) {
        snprintf(path, sizeof(path), "/tmp/d-%d-%u", getpid(), i);
        if (mkdir(path, 0700) == -1)
            break;
    }
    int e = errno;
    for (unsigned i = 0;; i++) {
        snprintf(path, sizeof(path), "/tmp/d-%d-%u", getpid(), i);
        if (rmdir(path) == -1)
            break;
    }
    errno = e;
    refused("mkdir");
}

/* The stack, to its limit and beyond all limits. */
static void
hog_stack(void)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    volatile char page[PAGE];

    setrlimit(RLIMIT_STACK, &all);
    page[0] = 1;
    if (page[0] == 1)
        hog_stack();
    page[1] = 0;
}

/* Looks for names that are not there in the directories of /walk, for ever. */
static void
walk(pid_t seed)
{
    struct stat st;
    char path[64];

    for (unsigned i = 0;; i++) {
        snprintf(path, sizeof(path), "/walk/%u/%d-%u", (i + seed / 4) % 4, seed, i);
        (void)stat(path, &st);
    }
}

/*
 * The largest process walks, as small ones do, while memory runs out.  So when it has to go, it
 * often waits for a directory, and who has that locked waits for memory.
 */
static void
hog_directories(void)
{
    size_t size = (size_t)sysconf(_SC_PHYS_PAGES) * PAGE;

    for (unsigned i = 0; i < 5; i++) {
        if (MUST(fork()) != 0)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (size_t at = 0; i == 4 && m != MAP_FAILED && at < size / 9 * 5; at += PAGE)
            m[at] = 1;
        walk(getpid());
    }
    volatile char *rest = mmap(NULL, size, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (rest == MAP_FAILED)
        refused("mmap");
    for (size_t at = 0; at < size; at += PAGE) {
        rest[at] = 1;
        if (at % (4 * PAGE) == 0)
            usleep(500); /* the walkers are to go on meanwhile */
    }
    say("there was enough\n");
    _exit(0);
}

static const struct {
    const char *name;
    void (*run)(void);
} kinds[] = {
    {"memory", hog_memory},   {"shared", hog_shared},
    {"shm", hog_shm},         {"tmpfs", hog_tmpfs},
    {"tables", hog_tables},   {"reading", hog_tables_by_reading},
    {"regions", hog_regions}, {"processes", hog_processes},
    {"bomb", hog_bomb},       {"pipes", hog_pipes},
    {"files", hog_files},     {"names", hog_names},
    {"stack", hog_stack},     {"directories", hog_directories},
};

int
main(int argc, char **argv)
{
    unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1, killed = 0;
    int start[2], status;
    char c;

    for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, argv[1]) != 0)
            continue;
        MUST(pipe(start));
        for (unsigned n = 0; n < count; n++) {
            if (MUST(fork()) != 0)
                continue;
            close(start[1]);
            (void)!read(start[0], &c, 1);
            kinds[i].run();
        }
        close(start[1]);
        while (wait(&status) > 0)
            killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        say("killed: %u of %u\n", killed, count);
        return 0;
    }
    say("hog memory|shared|shm|tmpfs|tables|reading|regions|processes|bomb|pipes|files|"
        "names|stack|directories [COUNT]\n");
    return argc > 1;
}
