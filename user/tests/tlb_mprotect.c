/*
 * tlb_mprotect.c - a right that was taken away is gone for every thread: to write, to run, to
 * read; and one that was given works for every thread.
 */
#include "tlb.h"

/* mov eax, 42; ret */
static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};

static size_t
both_fail_to_store(char *p, size_t n)
{
    size_t failed = 0;

    for (size_t k = 0; k < n; k++)
        failed +=
            store(p + k * PAGE, 'x') == -SIGSEGV && other_stores(p + k * PAGE, 'x') == -SIGSEGV;
    return failed;
}

static int
both_run(void *at)
{
    int mine = run_code(at), others = other_does(RUN, at, 0);

    return mine == others ? mine : 0;
}

static void
take_rights(size_t n)
{
    char *p = pages(n);

    say("%zu pages\n", n);
    both_store(p, n, 'a');
    MUST(mprotect(p, n * PAGE, PROT_READ));
    CHECK("neither thread can store to them", both_fail_to_store(p, n) == n);
    CHECK("both can read them", both_find(p, n, 'a') == n);
    MUST(mprotect(p, n * PAGE, PROT_READ | PROT_WRITE));
    both_store(p, n, 'b');
    MUST(mprotect(p, n * PAGE, PROT_NONE));
    CHECK("neither can read them", both_find(p, n, -SIGSEGV) == n);
    MUST(mprotect(p, n * PAGE, PROT_READ | PROT_WRITE));
    CHECK("both find what they stored", both_find(p, n, 'b') == n);
    MUST(munmap(p, n * PAGE));
}

int
main(void)
{
    char *p = pages(1);

    other_start();
    for (int i = 0; i < SIZES; i++)
        take_rights(sizes[i]);

    memcpy(p, code, sizeof(code));
    MUST(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    CHECK("both run what is there", both_run(p) == 42);
    MUST(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    CHECK("neither runs it now", both_run(p) == -SIGSEGV);
    CHECK("both read it", both_find(p, 1, code[0]) == 1);
    other_leave();
    return finish();
}
