/*
 * Chapter 6: a page fault of each kind.
 *
 * Each act makes one, and the kernel tells of what kind it was: it has counted one more
 * in /proc/self/faults, or on Linux, which knows two kinds, for getrusage().
 */
#include <setjmp.h>

#include "tour.h"

static sigjmp_buf back;
static volatile char *volatile nowhere;

static void
caught(int sig)
{
    siglongjmp(back, sig);
}

int
main(void)
{
    int fd = file_on_disk(), rw = PROT_READ | PROT_WRITE;
    volatile char *file = mmap(NULL, PAGE, rw, MAP_PRIVATE, fd, 0), *fresh = pages(1);
    volatile char *again = mmap(NULL, PAGE, rw, MAP_PRIVATE, fd, 0);
    volatile char *volatile deep = (char *)__builtin_frame_address(0) - 50 * PAGE;

    begin(6);
    say("Each line is one access to memory, and what the kernel counted for it:\n\n");
    kinds_line(NULL);
    (void)fresh[0];
    kinds_line("read a new page");
    fresh[0] = 1;
    kinds_line("store to it");
    (void)file[0];
    kinds_line("read a page of a file");
    (void)again[0];
    kinds_line("read it at another address");
    again[0] = 1;
    kinds_line("store to it, mapped as private");
    deep[0] = 1;
    kinds_line("store 50 pages below the stack");
    pid_t child = fork();
    must(child != -1, "fork");
    if (child == 0) {
        kinds_line(NULL);
        (void)fresh[0];
        kinds_line("after fork, the child reads");
        fresh[0] = 2;
        kinds_line("the child stores");
        _exit(0);
    }
    ended(child);
    kinds_line(NULL);
    fresh[0] = 3;
    kinds_line("when it has ended, the parent stores");
    signal(SIGSEGV, caught);
    if (sigsetjmp(back, 1) == 0)
        *nowhere = 1;
    kinds_line("store to address 0: SIGSEGV");
    say("\nzero: all who only read share a frame of zeros; new: a frame of its own. read:\n"
        "from the disk; file: it was in memory already. entry: all was there but the\n"
        "entry of the page table. cow: chapter 9. stack: chapter 8. The kernel answers,\n"
        "and the program does not notice, unless there is no answer.\n");
    return 0;
}
