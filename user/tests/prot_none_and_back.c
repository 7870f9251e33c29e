/*
 * prot_none_and_back.c - mprotect takes rights away and gives them back, and the
 * bytes stay.
 *
 * Each access is tried in a child that lives or dies; the parent's memory is untouched.
 */
#include "test.h"

static void
read_it(void *at)
{
    volatile char c = *(char *)at;
    (void)c;
}

static void
write_it(void *at)
{
    *(volatile char *)at = 'w';
}

static void
try_both(const char *what, char *p)
{
    say("%s\n", what);
    show_status("  read", in_child(read_it, p));
    show_status("  write", in_child(write_it, p));
}

int
main(void)
{
    char *p = pages(3);

    memset(p, 'a', 3 * PAGE);
    char *mid = p + PAGE;
    MUST(mprotect(mid, PAGE, PROT_NONE));
    try_both("none", mid);
    try_both("the page before", mid - 1);
    try_both("the page behind", mid + PAGE);
    MUST(mprotect(mid, PAGE, PROT_READ));
    try_both("read", mid);
    CHECK("the bytes are still there", all_bytes(mid, PAGE, 'a'));
    MUST(mprotect(mid, PAGE, PROT_READ | PROT_WRITE));
    try_both("read and write", mid);
    *mid = 'b';
    MUST(mprotect(p, 3 * PAGE, PROT_READ));
    try_both("all read-only", mid);
    CHECK("the last store is still there", *mid == 'b');
    char *fresh = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    try_both("mapped as none", fresh);
    MUST(mprotect(fresh, PAGE, PROT_READ | PROT_WRITE));
    try_both("then opened", fresh);
    return finish();
}
