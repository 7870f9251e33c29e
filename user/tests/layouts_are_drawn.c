/*
 * layouts_are_drawn.c - each launch of a program finds itself in another place.
 *
 * Its own base, its loader's, its stack's, the heap's distance and the pointer inside the stack's
 * page.  Without an argument a few launches are compared, as Linux has it too.  With "measure" it
 * launches 2,000: all inside their bounds, none twice where there are 2^33 places, each bit as
 * often 1 as 0, and no two of them related, which is more than Linux promises.  "show" prints one
 * launch's places, "fixed" does so after switching randomness off.
 */
/* build: dynamic -fPIE -pie */
#include "test.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/personality.h>

#define LAUNCHES 2000
#define TIB      (1UL << 40)

enum { PROGRAM, LOADER, STACK, HEAP, POINTER, RANDOM, PLACES };

static const struct {
    const char *name;
    unsigned shift; /* below are zeros */
    unsigned bits;  /* that are drawn */
    uint64_t low, high;
} places[PLACES] = {
    [PROGRAM] = {"program", 12, 33, 0x10000, 32 * TIB + 0x10000},
    [LOADER] = {"libraries", 12, 33, 63 * TIB - (1 << 26), 95 * TIB},
    [STACK] = {"stack", 12, 33, 96 * TIB - (1 << 18), 128 * TIB},
    [HEAP] = {"distance of the heap", 12, 28, 0, TIB + (1 << 20)},
    [POINTER] = {"pointer in its page", 4, 8, 0, 4096},
    [RANDOM] = {"AT_RANDOM", 0, 64, 0, UINT64_MAX},
};

struct report {
    uint64_t at[PLACES];
};

extern const Elf64_Ehdr __ehdr_start;
extern char _end[];

static struct report reports[LAUNCHES];

/* The end of the region that holds this address, from /proc/self/maps: the stack's top. */
static uint64_t
region_end(uint64_t address)
{
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long start, end = 0;
    char line[512];

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start <= address && address < end)
            break;
    if (f != NULL)
        fclose(f);
    return end;
}

static struct report
look(char **argv)
{
    struct report r;
    uint64_t heap = (uint64_t)syscall(SYS_brk, 0);

    r.at[PROGRAM] = (uint64_t)&__ehdr_start;
    r.at[LOADER] = getauxval(AT_BASE);
    r.at[STACK] = region_end((uint64_t)argv);
    r.at[HEAP] = (heap - (uint64_t)_end) & -PAGE;
    /* All launches have the same strings, so this is a fixed distance from the top. */
    r.at[POINTER] = (uint64_t)argv & (PAGE - 1) & -16UL;
    memcpy(&r.at[RANDOM], (void *)getauxval(AT_RANDOM), sizeof(uint64_t));
    return r;
}

/* A child that execs this program again, with that word. */
static void
launch(struct report *r, const char *word)
{
    int fd[2];

    MUST(pipe(fd));
    pid_t pid = (pid_t)MUST(vfork());
    if (pid == 0) {
        dup2(fd[1], 1);
        execl("/proc/self/exe", "layout", word, NULL);
        _exit(127);
    }
    close(fd[1]);
    if (read(fd[0], r, sizeof(*r)) != sizeof(*r))
        must(-1, "a report", __LINE__);
    close(fd[0]);
    reap(pid);
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static unsigned
count_twice(const uint64_t *v)
{
    static uint64_t sorted[LAUNCHES];
    unsigned twice = 0;

    memcpy(sorted, v, sizeof(sorted));
    qsort(sorted, LAUNCHES, sizeof(sorted[0]), compare);
    for (unsigned i = 1; i < LAUNCHES; i++)
        twice += sorted[i] == sorted[i - 1];
    return twice;
}

static int
bit(unsigned launch, unsigned place, unsigned n)
{
    uint64_t from_low = reports[launch].at[place] - places[place].low;

    return (int)(from_low >> (places[place].shift + n) & 1);
}

/*
 * Of 2,000 throws of a fair coin, 1,000 are heads, with a deviation of 22.4; more than 6
 * deviations off happens once in 500 million times.
 */
static int
is_fair(unsigned heads)
{
    return heads > 1000 - 134 && heads < 1000 + 134;
}

/* Each bit of the place is 1 in half of the launches, and changes from one to the next in half. */
static int
bits_are_fair(unsigned place)
{
    for (unsigned n = 0; n < places[place].bits; n++) {
        unsigned ones = 0, changes = 0;

        for (unsigned i = 0; i < LAUNCHES; i++) {
            ones += (unsigned)bit(i, place, n);
            changes += (unsigned)(bit(i, place, n) ^ bit((i + 1) % LAUNCHES, place, n));
        }
        if (!is_fair(ones) || !is_fair(changes)) {
            say("%s: bit %u: %u ones, %u changes\n", places[place].name, n, ones, changes);
            return 0;
        }
    }
    return 1;
}

/* No bit of one is foretold by a bit of the other. */
static int
unrelated(unsigned a, unsigned b)
{
    for (unsigned m = 0; m < places[a].bits; m++)
        for (unsigned n = 0; n < places[b].bits; n++) {
            unsigned differ = 0;

            for (unsigned i = 0; i < LAUNCHES; i++)
                differ += (unsigned)(bit(i, a, m) ^ bit(i, b, n));
            if (!is_fair(differ)) {
                say("%s bit %u, %s bit %u: %u\n", places[a].name, m, places[b].name, n, differ);
                return 0;
            }
        }
    return 1;
}

static void
check_place(unsigned place)
{
    static uint64_t v[LAUNCHES];
    int inside = 1;
    char claim[100];

    for (unsigned i = 0; i < LAUNCHES; i++) {
        v[i] = reports[i].at[place];
        inside &= v[i] >= places[place].low && v[i] <= places[place].high &&
                  v[i] % (1UL << places[place].shift) == 0;
    }
    snprintf(claim, sizeof(claim), "%s: inside its bounds", places[place].name);
    CHECK(claim, inside);
    snprintf(claim, sizeof(claim), "%s: no place twice", places[place].name);
    if (places[place].bits > 30)
        CHECK(claim, count_twice(v) == 0);
    snprintf(claim, sizeof(claim), "%s: its bits are fair", places[place].name);
    CHECK(claim, bits_are_fair(place));
    for (unsigned other = 0; other < place; other++) {
        snprintf(claim, sizeof(claim), "%s: tells nothing about %s", places[place].name,
                 places[other].name);
        CHECK(claim, unrelated(place, other));
    }
}

/* A child of fork() has its parent's places. */
static void
check_fork(char **argv)
{
    struct report mine = look(argv), child;
    int fd[2];

    MUST(pipe(fd));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        child = look(argv);
        _exit(write(fd[1], &child, sizeof(child)) != sizeof(child));
    }
    CHECK("a child of fork is where its parent is",
          read(fd[0], &child, sizeof(child)) == sizeof(child) &&
              memcmp(&mine, &child, sizeof(mine)) == 0);
    reap(pid);
}

static void
check_few(char **argv)
{
    struct report r[4], fixed[2];
    int differ = 1;

    for (unsigned i = 0; i < 4; i++)
        launch(&r[i], "report");
    for (unsigned place = 0; place < PLACES; place++)
        for (unsigned i = 1; i < 4 && places[place].bits > 30; i++)
            differ &= r[i].at[place] != r[0].at[place];
    CHECK("each launch is somewhere else", differ);
    check_fork(argv);
    MUST(personality(ADDR_NO_RANDOMIZE));
    launch(&fixed[0], "report");
    launch(&fixed[1], "report");
    CHECK("with ADDR_NO_RANDOMIZE each is in the same place",
          memcmp(fixed[0].at, fixed[1].at, RANDOM * sizeof(fixed[0].at[0])) == 0);
    CHECK("but has random bytes of its own", fixed[0].at[RANDOM] != fixed[1].at[RANDOM]);
}

static void
measure(void)
{
    for (unsigned i = 0; i < LAUNCHES; i++)
        launch(&reports[i], "report");
    for (unsigned place = 0; place < PLACES; place++)
        check_place(place);
}

static int
show_places(char **argv)
{
    struct report r = look(argv);

    for (unsigned place = 0; place < PLACES; place++)
        say("%s %lx\n", places[place].name, (unsigned long)r.at[place]);
    return 0;
}

int
main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    if (strcmp(word, "report") == 0) {
        struct report r = look(argv);

        return write(1, &r, sizeof(r)) != sizeof(r);
    }
    if (strcmp(word, "fixed") == 0) {
        MUST(personality(ADDR_NO_RANDOMIZE));
        execl("/proc/self/exe", "layout", "show", NULL);
    }
    if (strcmp(word, "show") == 0)
        return show_places(argv);
    if (strcmp(word, "measure") == 0)
        measure();
    else
        check_few(argv);
    return finish();
}
