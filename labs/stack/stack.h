/*
 * stack.h - what the programs of the lab share: where the stack is, and stores that may fail.
 */
#pragma once

#include "labs/lab.h"

#include <setjmp.h>

/* Reads a whole file of /proc; nothing of it lies on the stack. */
SHARED const char *
proc_text(const char *name)
{
    static char text[4096];
    int fd = (int)MUST(open(name, O_RDONLY));
    size_t have = 0;
    ssize_t n;

    while (have < sizeof(text) - 1 &&
           (n = MUST(read(fd, text + have, sizeof(text) - 1 - have))) > 0)
        have += (size_t)n;
    text[have] = '\0';
    close(fd);
    return text;
}

struct stack {
    char *start, *end;
};

/* stack_now - the program's stack, as /proc/self/maps tells. */
SHARED struct stack
stack_now(void)
{
    const char *text = proc_text("/proc/self/maps"), *line = strstr(text, "[stack]");

    MUST(line == NULL ? -1 : 0);
    while (line > text && line[-1] != '\n')
        line--;

    char *next;
    struct stack s = {.start = (char *)strtoul(line, &next, 16)};

    s.end = (char *)strtoul(next + 1, NULL, 16);
    return s;
}

static sigjmp_buf after_refusal;

SHARED void
on_refusal(int sig)
{
    (void)sig;
    siglongjmp(after_refusal, 1);
}

/* catch_refusals - before the first store(). */
SHARED void
catch_refusals(void)
{
    struct sigaction act = {.sa_handler = on_refusal};

    MUST(sigaction(SIGSEGV, &act, NULL));
}

/* store - fill a page; 1 if that was refused with SIGSEGV. */
SHARED int
store(char *page, unsigned char byte)
{
    if (sigsetjmp(after_refusal, 1) != 0)
        return 1;
    memset(launder(page), byte, PAGE);
    return 0;
}

/*
 * edge - the stack may grow to the page @low and no further: try the page below, @low, and the
 * page below again.
 * Returns: a bit for each try that was refused, the first one's the lowest.
 */
SHARED long
edge(char *low, unsigned char byte)
{
    long first = store(low - PAGE, byte);
    long last = store(low, byte);

    return first | last << 1 | (long)store(low - PAGE, byte) << 2;
}
