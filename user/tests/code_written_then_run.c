/*
 * code_written_then_run.c - memory is written, made executable, run, and written again.
 *
 * What a just-in-time compiler does.  While it is executable it cannot be written, and
 * while it can be written it cannot be run.
 */
#include "test.h"

static unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */

static void
run_it(void *p)
{
    _exit(((int (*)(void))(uintptr_t)p)());
}

static void
write_it(void *p)
{
    *(volatile char *)p = 0;
}

int
main(void)
{
    char *p = pages(1);

    memcpy(p, code, sizeof(code));
    show_status("run while writable", in_child(run_it, p));
    MUST(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    show_status("run", in_child(run_it, p));
    CHECK("here too", ((int (*)(void))(uintptr_t)p)() == 42);
    show_status("write while executable", in_child(write_it, p));
    MUST(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    p[1] = 43;
    show_status("run while writable again", in_child(run_it, p));
    MUST(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    show_status("run the new code", in_child(run_it, p));
    return finish();
}
