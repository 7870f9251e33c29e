/*
 * long_calls_share.c - who reads very much at a time does not keep its processor from others: it
 * has to give way again and again in the middle of the call, not once at its end.
 *
 * Another process, which only computes, wants the same processor all the while.
 */
/* needs: 32M */
#include "test.h"

#include <sys/random.h>
#include <sys/uio.h>

#define MIB  1048576UL
#define SIZE (6 * MIB)

static char *buffer;

/* The buffer's first megabyte @n times over, as one vector. */
static struct iovec *
vector(int n)
{
    static struct iovec v[1024];

    for (int k = 0; k < n; k++)
        v[k] = (struct iovec){buffer, MIB};
    return v;
}

/* Of a file in memory without a page: that waits for nothing. */
static void
read_hole(void)
{
    int fd = (int)MUST(memfd_create("hole", 0));

    MUST(ftruncate(fd, 512 * MIB));
    MUST(preadv(fd, vector(512), 512, 0));
    close(fd);
}

static void
read_zeros(void)
{
    int fd = (int)MUST(open("/dev/zero", O_RDONLY));

    MUST(readv(fd, vector(1024), 1024));
    close(fd);
}

static void
copy_memory(void)
{
    MUST(process_vm_readv(getpid(), vector(512), 512, vector(512), 512, 0));
}

static void
draw(void)
{
    MUST(getrandom(buffer, SIZE, 0));
}

static long
forced_switches(void)
{
    struct rusage u;

    MUST(getrusage(RUSAGE_SELF, &u));
    return u.ru_nivcsw;
}

static void
watch(const char *what, void (*call)(void))
{
    long before = forced_switches();

    call();
    CHECK(what, forced_switches() - before >= 2);
}

int
main(void)
{
    buffer = pages(SIZE / PAGE);
    memset(buffer, 1, SIZE);
    pid_t pid = share_processor();
    watch("reading a hole", read_hole);
    watch("reading zeros", read_zeros);
    watch("copying memory", copy_memory);
    watch("drawing random bytes", draw);
    MUST(kill(pid, SIGKILL));
    reap(pid);
    return finish();
}
