/*
 * regions_by_chance.c - a thousand random calls on one window of memory, step by step as on Linux.
 *
 * mmap, munmap, mprotect, mremap, madvise and mlock at random places of a window of 48 pages, and
 * now and then a fork; after each the program looks at what /proc/self/maps says of each page and
 * at what is in it.  A hash over all of it is printed after every fifty steps: the first that
 * differs tells where to look, and an argument prints every step.
 */
#include "test.h"

#include <setjmp.h>

#define WINDOW ((char *)0x200000000000UL)
#define PAGES  48
#define STEPS  1000

static uint64_t state = 88172645463325252ULL, hash = 14695981039346656037ULL;
static int file, verbose;
static sigjmp_buf back;

static unsigned
draw(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 20) % n);
}

static void
add(uint64_t x)
{
    hash = (hash ^ x) * 1099511628211ULL;
}

static void
on_fault(int sig)
{
    siglongjmp(back, sig);
}

/* The rights of each page of the window as /proc/self/maps tells them: "rwxp", or "" */
static char rights[PAGES][5];

static void
read_maps(void)
{
    static char text[65536];
    int fd = open("/proc/self/maps", O_RDONLY);
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
        n += got;
    close(fd);
    text[n] = '\0';
    memset(rights, 0, sizeof(rights));
    for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
        unsigned long from, to;
        char r[5];

        if (sscanf(line, "%lx-%lx %4s", &from, &to, r) != 3)
            break;
        for (int i = 0; i < PAGES; i++)
            if ((unsigned long)WINDOW + i * PAGE >= from &&
                (unsigned long)WINDOW + i * PAGE < to)
                memcpy(rights[i], r, sizeof(r));
        if (strchr(line, '\n') == NULL)
            break;
    }
}

/* The first byte of the page, or the signal that reading it gives. */
static int
look(int i)
{
    int sig = sigsetjmp(back, 1);

    return sig != 0 ? 1000 + sig : WINDOW[i * PAGE];
}

static void
look_at_all(void)
{
    read_maps();
    for (int i = 0; i < PAGES; i++) {
        add(rights[i][0] << 24 | rights[i][1] << 16 | rights[i][2] << 8 | rights[i][3]);
        add(look(i));
    }
}

static const int PROTS[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
                            PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};

static long
new_mapping(char *p, size_t len)
{
    unsigned kind = draw(5);
    int flags = (kind % 2 ? MAP_SHARED : MAP_PRIVATE) | (kind < 3 ? MAP_ANONYMOUS : 0) |
                (draw(4) == 0 ? MAP_FIXED_NOREPLACE : MAP_FIXED);
    void *got = mmap(p, len, PROTS[draw(5)], flags, kind < 3 ? -1 : file, PAGE * draw(8));

    return got == MAP_FAILED ? -1 : 0;
}

/* Moves one page, shrinks any range, grows one page: more at a time is new in Linux 6.17. */
static long
move(char *p, size_t len)
{
    char *to = WINDOW + PAGE * draw(PAGES - 8);
    size_t new_len = PAGE * (1 + draw(8));
    void *got = draw(2) == 0 ? mremap(p, PAGE, new_len, MREMAP_MAYMOVE | MREMAP_FIXED, to)
                             : mremap(p, new_len < len ? len : PAGE, new_len, 0);

    return got == MAP_FAILED ? -1 : 0;
}

static void
write_one(char *p, int value)
{
    if (sigsetjmp(back, 1) == 0)
        *p = (char)value;
}

static long
write_some(char *p, size_t len, int step)
{
    for (size_t at = 0; at < len; at += PAGE)
        write_one(p + at, step);
    return 0;
}

/* A child changes what it may and goes; only what is shared remains. */
static long
in_a_child(char *p, size_t len, int step)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        write_some(p, len, step);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status;
}

/* mprotect of a range with a hole fails; how much of it changed is nobody's promise (POSIX). */
static long
protect(char *p, size_t len, int prot)
{
    for (size_t i = (p - WINDOW) / PAGE; i < (p - WINDOW + len) / PAGE; i++)
        if (rights[i][0] == '\0')
            return 0;
    return mprotect(p, len, prot);
}

static void
one_step(int step)
{
    static const int advices[] = {MADV_DONTNEED, MADV_WILLNEED, MADV_DONTFORK, MADV_DOFORK};
    unsigned what = draw(12);
    size_t from = draw(PAGES - 8), len = PAGE * (1 + draw(8));
    char *p = WINDOW + from * PAGE;
    long r = 0;

    errno = 0;
    if (what < 3)
        r = new_mapping(p, len);
    else if (what == 3)
        r = munmap(p, len);
    else if (what < 6)
        r = protect(p, len, PROTS[draw(5)]);
    else if (what == 6)
        r = move(p, len);
    else if (what == 7)
        r = madvise(p, PAGE, advices[draw(4)]); /* more may fail half-way */
    else if (what == 8)
        r = draw(2) ? mlock(p, len) : munlock(p, len);
    else if (what == 9)
        r = in_a_child(p, len, step);
    else
        r = write_some(p, len, step);
    add(r == -1 ? errno : r);
    look_at_all();
    if (verbose)
        say("%d: %u at %zu, %zu pages: %s, %016lx\n", step, what, from, len / PAGE,
            r == -1 ? errno_name(errno) : "ok", hash);
    for (int i = 0; verbose && i < PAGES; i++)
        say("%s:%d ", rights[i], rights[i][0] == 'r' ? look(i) : 0);
    if (verbose)
        say("\n");
}

int
main(int argc, char **argv)
{
    struct sigaction act = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    static char page[PAGE];
    char name[] = "/tmp/regions_by_chance.XXXXXX";

    verbose = argc > 1;
    if (argc > 1)
        state += strtoul(argv[1], NULL, 10);
    sigaction(SIGSEGV, &act, NULL);
    sigaction(SIGBUS, &act, NULL);
    file = mkstemp(name);
    for (int i = 0; i < 12; i++) {
        memset(page, 'a' + i, sizeof(page));
        if (write(file, page, sizeof(page)) != sizeof(page))
            say("write failed\n");
    }
    for (int step = 1; step <= STEPS; step++) {
        one_step(step);
        if (step % 50 == 0)
            say("after %4d steps: %016lx\n", step, hash);
    }
    unlink(name);
    return 0;
}
