/*
 * more_than_memory.c - memory keeps its bytes, however much of it there is.
 *
 * Fills MIB mebibytes (the first argument, 4 without) with a pattern, forks into four
 * children that each change a quarter and verify all of it, and verifies that the parent
 * still sees what it wrote.  With "shared" as second argument the children's quarters are the
 * parent's too; with "sysv" likewise, in a System V segment.  Under a machine with less memory
 * than that, every page goes to swap and back.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/shm.h>

static unsigned
step(unsigned x)
{
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

static void
fill(char *m, size_t from, size_t to, unsigned seed)
{
    for (size_t page = from; page < to; page += 4096) {
        unsigned x = seed + (unsigned)(page / 4096) + 1;
        for (size_t i = 0; i < 4096; i += 64) {
            x = step(x);
            memcpy(m + page + i, &x, sizeof(x));
        }
    }
}

static long
wrong(const char *m, size_t from, size_t to, unsigned seed)
{
    long n = 0;
    for (size_t page = from; page < to; page += 4096) {
        unsigned x = seed + (unsigned)(page / 4096) + 1, found;
        for (size_t i = 0; i < 4096; i += 64) {
            x = step(x);
            memcpy(&found, m + page + i, sizeof(found));
            n += found != x;
        }
    }
    return n;
}

/* Child @me of four: changes its quarter, then looks at all that it can know. */
static int
child(char *m, size_t quarter, unsigned me, int shared)
{
    long bad = 0;
    fill(m, me * quarter, (me + 1) * quarter, 100 + me);
    for (unsigned q = 0; q < 4; q++)
        if (q == me || !shared)
            bad += wrong(m, q * quarter, (q + 1) * quarter, q == me ? 100 + q : 7);
    return bad != 0;
}

/* Gone with the last of us. */
static char *
sysv_segment(size_t size)
{
    int id = (int)MUST(shmget(IPC_PRIVATE, size, 0600));
    char *m = shmat(id, NULL, 0);

    MUST(shmctl(id, IPC_RMID, NULL));
    return m;
}

int
main(int argc, char **argv)
{
    size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 4) << 20, quarter = size / 4;
    int shared = argc > 2 && strcmp(argv[2], "private") != 0;
    char *m = argc > 2 && strcmp(argv[2], "sysv") == 0
                  ? sysv_segment(size)
                  : mmap(NULL, size, PROT_READ | PROT_WRITE,
                         (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
    int status, good = 0;
    long bad = 0;

    MUST(m == MAP_FAILED ? -1 : 0);
    fill(m, 0, size, 7);
    CHECK("all is there after filling", wrong(m, 0, size, 7) == 0);
    for (unsigned i = 0; i < 4; i++)
        if (MUST(fork()) == 0)
            _exit(child(m, quarter, i, shared));
    while (wait(&status) > 0)
        good += status == 0;
    say("children that saw what they should: %d\n", good);
    for (unsigned q = 0; q < 4; q++)
        bad += wrong(m, q * quarter, (q + 1) * quarter, shared ? 100 + q : 7);
    CHECK("the parent too", bad == 0);
    return finish();
}
