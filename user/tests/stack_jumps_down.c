/*
 * stack_jumps_down.c - one function with a frame of 4 MiB may touch its far end first.
 *
 * The stack is grown by the fault wherever it falls within the limit, also below the
 * stack pointer; what lies between stays untouched and reads as zero.
 */
#include "test.h"

#define FRAME (4UL << 20)

__attribute__((noinline)) static int
jump(void)
{
    volatile char *frame = __builtin_alloca(FRAME);

    frame[0] = 'f'; /* 4 MiB below the caller, nothing between was touched */
    int zero = frame[FRAME / 2] == 0;
    frame[FRAME / 2] = 'm';
    return zero && frame[0] == 'f' && frame[FRAME / 2] == 'm';
}

int
main(void)
{
    char here;

    CHECK("4 MiB at once", jump());
    volatile char *far = launder(&here) - (6UL << 20);
    CHECK("6 MiB below the stack pointer reads zero", *far == 0);
    *far = 1;
    CHECK("and can be written", *far == 1);
    return finish();
}
