/*
 * mmap_share.c - who maps a file shared sees what others store; who maps it privately keeps
 * his stores for himself.
 *
 * Checkpoints: 1 the parent when it has stored to the chosen pages; 2 the child, which has
 * mapped the file itself, from page SKIP on, when it has read all and stored to the others; 3
 * the child when it has stored to all of a private mapping, from page SKIP on, too; 4 the
 * parent when the child has ended; 5 the child's store to memory without a file, and 6 the
 * parent's.
 */
#include "labs/lab.h"

#define COUNT 24
#define SKIP  3

static const char name[] = "/lab/share";

static char *
map(int flags, uint32_t skip)
{
    int fd = flags & MAP_ANONYMOUS ? -1 : (int)MUST(open(name, O_RDWR));
    void *p = mmap(NULL, (COUNT - skip) * PAGE, PROT_READ | PROT_WRITE, flags, fd,
                   (off_t)(skip * PAGE));

    MUST(p == MAP_FAILED ? -1 : 0);
    if (fd >= 0)
        close(fd);
    return p;
}

static void
store(char *p, uint32_t skip, uint32_t seed, uint32_t plus, int which)
{
    for (uint32_t k = skip; k < COUNT; k++)
        if (chosen(seed, k) == which)
            memset(p + (k - skip) * PAGE, byte_of(seed + plus, k), PAGE);
}

static void
child(uint32_t seed)
{
    char *shared = map(MAP_SHARED, SKIP), *own = map(MAP_PRIVATE, SKIP);

    touch(shared, COUNT - SKIP);
    touch(own, COUNT - SKIP);
    store(shared, SKIP, seed, 2, 0);
    checkpoint(2, shared, SKIP, (long)own);
    fill(own, COUNT - SKIP, seed + 3);
    checkpoint(3, shared, SKIP, (long)own);
    _exit(0);
}

static void
without_file(uint32_t seed)
{
    char *p = map(MAP_SHARED | MAP_ANONYMOUS, 0);
    pid_t pid = (pid_t)MUST(fork());

    if (pid == 0) {
        store(p, 0, seed, 1, 1);
        checkpoint(5, p, COUNT, 0);
        _exit(0);
    }
    show_status("the child", reap(pid));
    store(p, 0, seed, 2, 0);
    checkpoint(6, p, COUNT, 0);
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char *p = pages(COUNT), *page = pages(1);
    int good = 1;

    fill(p, COUNT, seed);
    make_file(name, p, COUNT * PAGE);
    int fd = (int)MUST(open(name, O_RDWR));
    MUST(fsync(fd));
    p = map(MAP_SHARED, 0);
    touch(p, COUNT);
    store(p, 0, seed, 1, 1);
    checkpoint(1, p, COUNT, 0);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        child(seed);
    show_status("the child", reap(pid));
    checkpoint(4, p, COUNT, 0);
    for (uint32_t k = 0; k < COUNT; k++) {
        MUST(pread(fd, page, PAGE, (off_t)(k * PAGE)));
        good &= memcmp(page, p + k * PAGE, PAGE) == 0;
    }
    CHECK("read() sees what was stored", good);
    without_file(seed);
    return finish();
}
