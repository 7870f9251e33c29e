/*
 * soak.c - a mixed load that checks itself, for as long as it is wanted.
 *
 *     soak SEED JOBS      JOBS jobs, AT_ONCE at a time; 0: until standard input ends
 *
 * Each job is a process that draws all it does from SEED and its own number, works for a moment on
 * memory, files or processes, and knows at every moment what it must find.  What it finds wrong it
 * says, and ends with 1: then the whole load ends with 1.  So does it when a job is killed, for
 * together they never need more memory than RAM and 256 MiB of swap.
 */
#include "user/tests/test.h"

#include <sys/time.h>
#include <time.h>

#define AT_ONCE   8
#define PAGES_MAX 4096

static uint64_t state; /* of draw() */
static char here[64];  /* the job's own directory, which it may use and leave full */

/* ---- chance, and what is right ---- */

static uint64_t
mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* A number below @n. */
static unsigned
draw(unsigned n)
{
    state += 0x9e3779b97f4a7c15;
    return (unsigned)(mix(state) >> 33) % n;
}

/* The job ends here, and with it all of them. */
#define WRONG(...)                                      \
    do {                                                \
        dprintf(2, "soak: " __VA_ARGS__);               \
        dprintf(2, " (errno %s)\n", errno_name(errno)); \
        _exit(1);                                       \
    } while (0)

#define NEED(call)              \
    do {                        \
        if ((long)(call) == -1) \
            WRONG("%s", #call); \
    } while (0)

/* Pages of which each holds what its number and version say; version 0 is zeros. */
struct model {
    char *m;
    size_t pages;
    uint32_t version[PAGES_MAX];
};

static struct model model;

static void
page_write(void *page, size_t n, uint32_t version)
{
    uint64_t x = mix((uint64_t)version << 32 | n), *words = page;

    for (size_t i = 0; i < PAGE / sizeof(x); i++, x += 0x9e3779b97f4a7c15)
        words[i] = x;
}

static int
page_is(const void *page, size_t n, uint32_t version)
{
    uint64_t x = mix((uint64_t)version << 32 | n);
    const uint64_t *words = page;

    for (size_t i = 0; i < PAGE / sizeof(x); i++, x += 0x9e3779b97f4a7c15)
        if (words[i] != (version == 0 ? 0 : x))
            return 0;
    return 1;
}

/* A run of pages below @pages, at most @longest. */
static void
draw_run(size_t pages, unsigned longest, size_t *from, size_t *to)
{
    *from = draw((unsigned)pages);
    *to = *from + 1 + draw(longest);
    if (*to > pages)
        *to = pages;
}

static void
change_run(struct model *o)
{
    size_t from, to;

    draw_run(o->pages, 256, &from, &to);
    for (; from < to; from++)
        page_write(o->m + from * PAGE, from, ++o->version[from]);
}

static void
verify(const struct model *o, const char *who)
{
    for (size_t n = 0; n < o->pages; n++)
        if (!page_is(o->m + n * PAGE, n, o->version[n]))
            WRONG("%s: page %zu of %zu is not version %u", who, n, o->pages, o->version[n]);
}

static char *
map(size_t count, int flags, int fd)
{
    char *m = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (m == MAP_FAILED)
        WRONG("mmap of %zu pages", count);
    return m;
}

/* fork, with a different fortune for the child. */
static pid_t
branch(void)
{
    unsigned fortune = draw(1U << 30);
    pid_t pid = fork();

    if (pid == -1)
        WRONG("fork");
    if (pid == 0)
        state ^= mix(fortune);
    return pid;
}

/* Waits for a child, which must end with 0, or by @sig. */
static void
must_end(pid_t pid, int sig)
{
    int status = reap(pid);

    if (sig == 0 ? status != 0 : !WIFSIGNALED(status) || WTERMSIG(status) != sig)
        WRONG("a child ended with status %#x", status);
}

/* ---- memory ---- */

static void
fork_and_both_change(struct model *o)
{
    pid_t pid = branch();

    for (unsigned i = 0; i < 2; i++)
        change_run(o);
    verify(o, pid == 0 ? "a child's memory" : "memory after fork");
    if (pid == 0)
        _exit(0);
    must_end(pid, 0);
}

/* Grows or shrinks the mapping, which may move; what is new is zeros. */
static void
resize(struct model *o)
{
    size_t pages = 1 + draw(PAGES_MAX - 1);
    void *m = mremap(o->m, o->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);

    if (m == MAP_FAILED)
        WRONG("mremap");
    for (size_t n = o->pages; n < pages; n++)
        o->version[n] = 0;
    o->m = m;
    o->pages = pages;
}

/* Forgets a run, or takes its rights away and gives them back. */
static void
advise(struct model *o)
{
    size_t from, to;

    draw_run(o->pages, 512, &from, &to);
    if (draw(2) == 0) {
        NEED(madvise(o->m + from * PAGE, (to - from) * PAGE, MADV_DONTNEED));
        memset(o->version + from, 0, (to - from) * sizeof(*o->version));
    } else {
        NEED(mprotect(o->m + from * PAGE, (to - from) * PAGE, draw(2) ? PROT_READ : PROT_NONE));
        NEED(mprotect(o->m + from * PAGE, (to - from) * PAGE, PROT_READ | PROT_WRITE));
    }
}

static void
work_on_memory(struct model *o, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        switch (draw(8)) {
        case 0:
            fork_and_both_change(o);
            break;
        case 1:
            resize(o);
            break;
        case 2:
            advise(o);
            break;
        case 3:
            verify(o, "private memory");
            break;
        default:
            change_run(o);
        }
    }
    verify(o, "private memory at the end");
}

static void
memory_job(void)
{
    model.pages = 1024 + draw(PAGES_MAX - 1024);
    model.m = map(model.pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (size_t n = 0; n < model.pages; n++)
        page_write(model.m + n * PAGE, n, model.version[n] = 1);
    work_on_memory(&model, 10 + draw(40));
    NEED(munmap(model.m, model.pages * PAGE));
}

/* Several processes each have every n-th page of one memory. */
static void
shared_job(void)
{
    unsigned n = 2 + draw(3);
    pid_t pid[4];

    model.pages = 1024 + draw(PAGES_MAX - 1024);
    model.m = map(model.pages, MAP_SHARED | MAP_ANONYMOUS, -1);
    for (unsigned me = 0; me < n; me++) {
        if ((pid[me] = branch()) != 0)
            continue;
        for (uint32_t version = 1; version <= 3; version++)
            for (size_t i = me; i < model.pages; i += n) {
                if (!page_is(model.m + i * PAGE, i, version - 1))
                    WRONG("shared memory: page %zu is not version %u", i, version - 1);
                page_write(model.m + i * PAGE, i, version);
            }
        _exit(0);
    }
    for (unsigned me = 0; me < n; me++)
        must_end(pid[me], 0);
    for (size_t i = 0; i < model.pages; i++)
        model.version[i] = 3;
    verify(&model, "shared memory");
    NEED(munmap(model.m, model.pages * PAGE));
}

/* Recursion: each call has a page of the stack, and finds it as it was when it comes back. */
static void
descend(unsigned depth)
{
    char page[PAGE] __attribute__((aligned(8)));

    page_write(page, depth, 1);
    launder(page);
    if (depth > 0)
        descend(depth - 1);
    if (!page_is(page, depth, 1))
        WRONG("the stack, %u calls before the deepest", depth);
}

static void
stack_job(void)
{
    for (unsigned i = draw(6); i < 8; i++)
        descend(100 + draw(1200));
}

/* ---- files ---- */

#define FILE_PAGES 512

static void
write_run(struct model *o, int fd)
{
    char page[PAGE];
    size_t from, to;

    draw_run(o->pages, 64, &from, &to);
    for (; from < to; from++) {
        page_write(page, from, ++o->version[from]);
        if (pwrite(fd, page, PAGE, (off_t)(from * PAGE)) != (ssize_t)PAGE)
            WRONG("pwrite");
    }
}

static void
read_all(const struct model *o, int fd)
{
    char page[PAGE];

    for (size_t n = 0; n < o->pages; n++) {
        if (pread(fd, page, PAGE, (off_t)(n * PAGE)) != (ssize_t)PAGE)
            WRONG("pread of page %zu", n);
        if (!page_is(page, n, o->version[n]))
            WRONG("read: page %zu of %zu is not version %u", n, o->pages, o->version[n]);
    }
    if (pread(fd, page, 1, (off_t)(o->pages * PAGE)) != 0)
        WRONG("there is something behind the end");
}

static void
cut(struct model *o, int fd)
{
    size_t pages = 1 + draw(FILE_PAGES - 1);

    NEED(ftruncate(fd, (off_t)(pages * PAGE)));
    for (size_t n = o->pages; n < pages; n++)
        o->version[n] = 0;
    o->pages = pages;
}

/* What is stored into a private mapping is there, and in the file it is not. */
static void
store_privately(const struct model *o, int fd)
{
    char *m = map(o->pages, MAP_PRIVATE, fd);
    size_t n = draw((unsigned)o->pages);

    page_write(m + n * PAGE, n, ~0U);
    for (size_t i = 0; i < o->pages; i++)
        if (!page_is(m + i * PAGE, i, i == n ? ~0U : o->version[i]))
            WRONG("a private mapping: page %zu", i);
    NEED(munmap(m, o->pages * PAGE));
}

/* A child has the mapping and the descriptor too. */
static void
child_looks(const struct model *o, int fd)
{
    pid_t pid = branch();

    if (pid == 0) {
        verify(o, "a child's shared mapping");
        read_all(o, fd);
        _exit(0);
    }
    must_end(pid, 0);
}

static void
file_step(struct model *o, int fd)
{
    switch (draw(9)) {
    case 0:
        cut(o, fd);
        break;
    case 1:
        read_all(o, fd);
        break;
    case 2:
        store_privately(o, fd);
        break;
    case 3:
        NEED(draw(2) ? fsync(fd) : msync(o->m, o->pages * PAGE, MS_SYNC));
        break;
    case 4:
        child_looks(o, fd);
        break;
    case 5:
    case 6:
        write_run(o, fd);
        break;
    default:
        change_run(o);
    }
}

/* A file on the disk, in tmpfs, or shared memory by name; written, mapped and cut. */
static void
file_job(void)
{
    static const char *const memory[] = {"/tmp", "/dev/shm"};
    char path[96];

    if (draw(2) == 0)
        snprintf(path, sizeof(path), "%s/file", here);
    else
        snprintf(path, sizeof(path), "%s/soak-%d", memory[draw(2)], getpid());
    int fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0600);

    NEED(fd);
    NEED(unlink(path));
    model.pages = 1 + draw(FILE_PAGES - 1);
    NEED(ftruncate(fd, (off_t)(model.pages * PAGE)));
    model.m = map(FILE_PAGES, MAP_SHARED, fd);
    for (unsigned i = 10 + draw(60); i > 0; i--)
        file_step(&model, fd);
    verify(&model, "a shared mapping");
    read_all(&model, fd);
    close(fd);
}

/* Names come, move and go; what is in the directory is what the table says. */
static void
names_job(void)
{
    char path[128], other[128];
    unsigned char is[32] = {0};

    for (unsigned step = 100 + draw(300); step > 0; step--) {
        unsigned a = draw(32), b = draw(32);

        snprintf(path, sizeof(path), "%s/name-%u", here, a);
        snprintf(other, sizeof(other), "%s/name-%u", here, b);
        if (!is[a]) {
            int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
            NEED(fd);
            NEED(write(fd, path, 1 + draw(100)));
            close(fd);
            is[a] = 1;
        } else if (draw(2) == 0) {
            NEED(unlink(path));
            is[a] = 0;
        } else if (a != b) {
            NEED(rename(path, other));
            is[a] = 0;
            is[b] = 1;
        }
    }
    for (unsigned i = 0; i < 32; i++) {
        snprintf(path, sizeof(path), "%s/name-%u", here, i);
        if ((access(path, F_OK) == 0) != is[i])
            WRONG("%s %s", path, is[i] ? "is gone" : "is there");
    }
}

/* ---- processes ---- */

static const char *const scripts[] = {
    "[ $(seq 1 20000 | sort -rn | tail -n 1) = 1 ]",
    "cp /bin/busybox a && [ \"$(sha256sum <a)\" = \"$(sha256sum </bin/busybox)\" ]",
    "mkdir d e && cp /tests/s* d && tar cf - d | (cd e && tar xf -) && diff -r d e/d",
    "cat /bin/busybox | gzip -1 | gunzip | cmp - /bin/busybox",
    "i=0; while [ $i -lt 40 ]; do i=$((i + $(echo 1 | cat))); done; [ $i = 40 ]",
    "awk 'BEGIN { for (i = 0; i < 60000; i++) a[i] = i; for (i in a) s += a[i]; exit s != "
    "1799970000 }'",
};

static void
script_job(void)
{
    const char *script = scripts[draw(sizeof(scripts) / sizeof(scripts[0]))];
    pid_t pid = branch();

    if (pid == 0) {
        NEED(chdir(here));
        execl("/bin/busybox", "sh", "-c", script, (char *)NULL);
        _exit(126);
    }
    must_end(pid, 0);
}

/* Processes that are stopped and killed in the middle of things leave nothing behind. */
static void
killing_job(void)
{
    unsigned n = 1 + draw(2);
    pid_t pid[2];

    for (unsigned i = 0; i < n; i++) {
        if ((pid[i] = branch()) != 0)
            continue;
        for (;;)
            draw(2) == 0 ? memory_job() : shared_job();
    }
    for (unsigned i = 0; i < n; i++) {
        nanosleep(&(struct timespec){0, 1000 * (1 + draw(50000))}, NULL);
        if (draw(2) == 0) {
            NEED(kill(pid[i], SIGSTOP));
            nanosleep(&(struct timespec){0, 1000 * (1 + draw(5000))}, NULL);
        }
        NEED(kill(pid[i], SIGKILL));
        must_end(pid[i], SIGKILL);
    }
}

static volatile sig_atomic_t alarms;

/* Touches memory that may be in swap, on the alternate stack. */
static void
on_alarm(int sig)
{
    (void)sig;
    alarms++;
    if (!page_is(model.m, 0, 1))
        WRONG("memory as a signal handler sees it");
}

/* A store into a page without rights: gives them, and the store goes on. */
static void
on_fault(int sig, siginfo_t *info, void *context)
{
    char *page = (char *)((uintptr_t)info->si_addr & ~(PAGE - 1));

    (void)context;
    if (sig != SIGSEGV || page < model.m || page >= model.m + model.pages * PAGE)
        WRONG("signal %d for %p", sig, info->si_addr);
    NEED(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
}

static void
signal_job(void)
{
    struct itimerval often = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
    struct sigaction alarm_action = {.sa_handler = on_alarm,
                                     .sa_flags = SA_RESTART | SA_ONSTACK};
    struct sigaction fault_action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    stack_t stack = {.ss_sp = map(8, MAP_PRIVATE | MAP_ANONYMOUS, -1), .ss_size = 8 * PAGE};

    model.pages = 256 + draw(1024);
    model.m = map(model.pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    page_write(model.m, 0, model.version[0] = 1);
    NEED(sigaltstack(&stack, NULL));
    NEED(sigaction(SIGALRM, &alarm_action, NULL));
    NEED(sigaction(SIGSEGV, &fault_action, NULL));
    NEED(setitimer(ITIMER_REAL, &often, NULL));
    for (unsigned i = 5 + draw(10); i > 0; i--) {
        size_t from, to;
        draw_run(model.pages, 200, &from, &to);
        from = from == 0 ? 1 : from;
        if (from < to)
            NEED(mprotect(model.m + from * PAGE, (to - from) * PAGE, PROT_READ));
        for (; from < to; from++)
            page_write(model.m + from * PAGE, from, ++model.version[from]);
        verify(&model, "memory under signals");
    }
    NEED(setitimer(ITIMER_REAL, &never, NULL));
}

/* ---- the load ---- */

static const struct {
    const char *name;
    void (*run)(void);
} kinds[] = {
    {"memory", memory_job},  {"memory", memory_job}, {"shared", shared_job},
    {"stack", stack_job},    {"file", file_job},     {"file", file_job},
    {"names", names_job},    {"script", script_job}, {"killing", killing_job},
    {"signals", signal_job},
};

static struct {
    pid_t pid;
    unsigned long number;
    const char *name;
} running[AT_ONCE];

static volatile sig_atomic_t enough;

static void
on_enough(int sig)
{
    (void)sig;
    enough = 1;
}

/* Job @number: everything about it follows from the seed and its number. */
static void
start(unsigned slot, uint64_t seed, unsigned long number)
{
    state = mix(seed * 1000003 + number);
    unsigned kind = draw(sizeof(kinds) / sizeof(kinds[0]));

    snprintf(here, sizeof(here), "/root/soak-%u", slot);
    running[slot].number = number;
    running[slot].name = kinds[kind].name;
    running[slot].pid = fork();
    if (running[slot].pid == -1)
        WRONG("fork");
    if (running[slot].pid != 0)
        return;
    signal(SIGTERM, SIG_DFL);
    NEED(mkdir(here, 0700));
    kinds[kind].run();
    execl("/bin/busybox", "rm", "-r", here, (char *)NULL);
    _exit(126);
}

/* Waits until one of the jobs has ended well. Returns its place, or AT_ONCE when interrupted. */
static unsigned
wait_for_one(void)
{
    int status;
    pid_t pid = wait(&status);

    for (unsigned i = 0; pid > 0 && i < AT_ONCE; i++) {
        if (running[i].pid != pid)
            continue;
        if (status != 0) {
            show_status("failed", status);
            say("it was job %lu (%s)\n", running[i].number, running[i].name);
            exit(1);
        }
        running[i].pid = 0;
        return i;
    }
    return AT_ONCE;
}

/* A child that waits for the end of standard input, and tells. */
static pid_t
watch_input(void)
{
    char c;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    while (read(0, &c, 1) > 0)
        ;
    kill(getppid(), SIGTERM);
    _exit(0);
}

int
main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    unsigned long jobs = argc > 2 ? strtoul(argv[2], NULL, 10) : 20, started = 0, done = 0;
    struct sigaction sa = {.sa_handler = on_enough};
    unsigned slot;

    sigaction(SIGTERM, &sa, NULL);
    pid_t watch = jobs == 0 ? watch_input() : 0;
    for (slot = 0; slot < AT_ONCE && (jobs == 0 || started < jobs); slot++)
        start(slot, seed, started++);
    while (done < started) {
        slot = wait_for_one();
        if (slot == AT_ONCE)
            continue;
        if (++done % 100 == 0)
            say("%lu jobs\n", done);
        if (!enough && (jobs == 0 || started < jobs))
            start(slot, seed, started++);
    }
    if (watch > 0)
        kill(watch, SIGKILL);
    say("seed %lu, %lu jobs: all well\n", (unsigned long)seed, done);
    return 0;
}
