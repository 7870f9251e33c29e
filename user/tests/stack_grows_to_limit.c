/*
 * stack_grows_to_limit.c - recursion takes the stack down by megabytes, and one frame
 * too many is SIGSEGV.
 *
 * Limits of 1 MiB and 8 MiB (RLIMIT_STACK) are tried in children; each reports the
 * depth that it reached in whole megabytes.
 */
/* needs: 32M */
#include "test.h"

static char *bottom;
static volatile int *reached;

__attribute__((noinline)) static int
dive(int level)
{
    volatile char frame[16 * 1024];

    frame[0] = (char)level;
    frame[sizeof(frame) - 1] = (char)level;
    *reached = (int)((bottom - (char *)frame) >> 10);
    if (level < 0) /* never; the compiler must not know */
        return 0;
    int below = dive(level + 1);
    return below + frame[0]; /* so the call is not a jump */
}

static void
dive_with_limit(void *limit)
{
    struct rlimit r = {(rlim_t)(uintptr_t)limit, (rlim_t)(uintptr_t)limit};
    char here;

    MUST(setrlimit(RLIMIT_STACK, &r));
    bottom = &here;
    _exit(dive(0));
}

int
main(void)
{
    reached = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t mib = 1; mib <= 8; mib *= 2) {
        char name[32];
        snprintf(name, sizeof(name), "limit %zu MiB", mib);
        show_status(name, in_child(dive_with_limit, (void *)(mib << 20)));
        int kib = *reached;
        CHECK("it came close to the limit", kib > (int)(mib << 10) - 200);
        CHECK("and not beyond", kib <= (int)(mib << 10));
    }
    return finish();
}
