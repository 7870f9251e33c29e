/*
 * lab.h - what the programs of the labs share: checkpoints.
 *
 * The grader stops the machine where a program calls checkpoint() and looks at its memory.
 * Without a grader the call does nothing.
 */
#pragma once

#include "user/tests/test.h"

/*
 * checkpoint - a moment to be judged.
 * @n: counts from 1 in a run, whichever process calls.  @a, @b, @c: what the probe wants to
 * know, such as an address and a number of pages.
 *
 * Returns: what the grader answers, if the probe does (look.answer), else some number.
 *
 * At checkpoint_here the four are in rdi, rsi, rdx and rcx, and the time-stamp counter, which
 * counts instructions in a graded run, is in rax.  The grader moves rip behind the nop.
 */
long checkpoint(long n, const void *a, long b, long c);

__asm__(".text\n"
        ".globl checkpoint, checkpoint_here\n"
        ".type checkpoint, @function\n"
        "checkpoint:\n"
        "    mov %rdx, %r8\n"
        "    rdtsc\n"
        "    shl $32, %rdx\n"
        "    or %rdx, %rax\n"
        "    mov %r8, %rdx\n"
        "checkpoint_here:\n"
        "    nop\n"
        "    ret\n");

/*
 * lab_todo - a step of a student's own program, such as "aslr/1", is not yet written: said once.
 */
#define lab_todo(step)                                                                   \
    do {                                                                                 \
        static int told;                                                                 \
        if (told++ == 0)                                                                 \
            dprintf(2, "lab: %s is not yet written: %s:%d\n", step, __FILE__, __LINE__); \
    } while (0)

/* seed_of - the run's seed: the program's first argument. */
SHARED uint32_t
seed_of(int argc, char **argv)
{
    if (argc < 2) {
        say("usage: %s SEED\n", argv[0]);
        _exit(96);
    }
    return (uint32_t)strtoul(argv[1], NULL, 10);
}

/* byte_of - what page @k is filled with; never 0.  Python's twin is in vitrine/lab/look.py. */
SHARED unsigned char
byte_of(uint32_t seed, uint32_t k)
{
    return (unsigned char)((seed * 2654435761U + k * 40503U) >> 9 | 1);
}

/* chosen - whether page @k is one of those, about a third, that are stored to in this run. */
SHARED int
chosen(uint32_t seed, uint32_t k)
{
    return ((seed * 40503U + k * 2654435761U) >> 13) % 3 == 0;
}

/* drawn - the @k-th of the numbers that come with @number, below @limit. */
SHARED uint32_t
drawn(uint32_t number, uint32_t k, uint32_t limit)
{
    uint64_t mixed = (number + 1) * 0x9e3779b97f4a7c15U + (k + 1) * 0xbf58476d1ce4e5b9U;

    mixed = (mixed ^ (mixed >> 31)) * 0x94d049bb133111ebU;
    return (uint32_t)(mixed >> 33) % limit;
}

/* fill - the pages of a piece of memory get their bytes. */
SHARED void
fill(char *start, uint32_t count, uint32_t seed)
{
    for (uint32_t k = 0; k < count; k++)
        memset(start + k * PAGE, byte_of(seed, k), PAGE);
}

/* not_filled - how many of the pages do not have theirs. */
SHARED uint32_t
not_filled(const char *start, uint32_t count, uint32_t seed)
{
    uint32_t wrong = 0;

    for (uint32_t k = 0; k < count; k++)
        wrong += !all_bytes(start + k * PAGE, PAGE, byte_of(seed, k));
    return wrong;
}

/* touch - read from each page, so that each is mapped. */
SHARED void
touch(const char *start, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        (void)*(const volatile char *)(start + k * PAGE);
}
