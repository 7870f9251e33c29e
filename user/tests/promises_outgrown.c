/*
 * promises_outgrown.c - what was promised stays promised when there may be no more promises.
 *
 * Asks for MIB mebibytes (the first argument, 1 without) that may be written; then, with a mode as
 * second argument, sets /proc/sys/vm/overcommit_memory.  Under a mode in which so much may not be
 * promised, what asks for nothing new goes on: memory is made read-only and writable again.
 */
#include "test.h"

static void
set_mode(const char *mode)
{
    int fd = (int)MUST(open("/proc/sys/vm/overcommit_memory", O_WRONLY));

    MUST(write(fd, mode, 1));
    MUST(close(fd));
}

int
main(int argc, char **argv)
{
    size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
    char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    MUST(m == MAP_FAILED || shared == MAP_FAILED ? -1 : 0);
    if (argc > 2)
        set_mode(argv[2]);
    show("read-only", mprotect(m, size, PROT_READ));
    show("writable again", mprotect(m, size, PROT_READ | PROT_WRITE));
    show("and what is shared", mprotect(shared, PAGE, PROT_READ | PROT_WRITE));
    m[size / 2] = shared[0] = 1;
    return finish();
}
