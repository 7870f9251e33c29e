/*
 * mremap_refuses.c - what mremap says to arguments that make no sense.
 *
 * EINVAL for what could never be right, EFAULT for what is not mapped, ENOMEM for
 * what does not fit.
 */
#include "test.h"

static void
try(const char *what, void *old, size_t old_len, size_t len, int flags, void *to)
{
    show_ok(what, (long)syscall(SYS_mremap, old, old_len, len, flags, to));
}

int
main(void)
{
    char *p = pages(8);

    MUST(munmap(p + 4 * PAGE, PAGE));
    try("old address not aligned", p + 1, PAGE, PAGE, 0, NULL);
    try("new length 0", p, PAGE, 0, 0, NULL);
    try("unknown flag", p, PAGE, PAGE, 64, NULL);
    try("fixed without maymove", p, PAGE, PAGE, MREMAP_FIXED, p + 6 * PAGE);
    try("fixed and not aligned", p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 1);
    try("fixed over itself", p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE);
    try("fixed in the kernel half", p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
        (void *)0xffff800000000000);
    try("nothing mapped there", p + 4 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, NULL);
    try("runs past the mapping", p + 3 * PAGE, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE, NULL);
    /* here kernels differ in the errno */
    CHECK("huge is refused", syscall(SYS_mremap, p, PAGE, 1UL << 47, MREMAP_MAYMOVE) == -1);
    CHECK("wrapping is refused", syscall(SYS_mremap, p, PAGE, -PAGE, MREMAP_MAYMOVE) == -1);
    try("same length is nothing to do", p, PAGE, PAGE, 0, NULL);
    return finish();
}
