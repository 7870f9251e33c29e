/*
 * Chapter 11: accesses that are not allowed, and what becomes of who tries.
 */
#include <setjmp.h>

#include "tour.h"

static sigjmp_buf back;
static siginfo_t told;

static void
caught(int sig, siginfo_t *info, void *context)
{
    (void)context;
    told = *info;
    siglongjmp(back, sig);
}

/* Returns 1 if the access did not end with a signal that tells its address. */
static int
attempt(const char *what, char *address, int store)
{
    int sig = sigsetjmp(back, 1);

    if (sig == 0) {
        if (store)
            *(volatile char *)address = 1;
        (void)*(volatile char *)address;
        return 1;
    }
    say("    %-25s %-8s %-18p  %s\n", what, sig == SIGBUS ? "SIGBUS" : "SIGSEGV", told.si_addr,
        sig == SIGBUS                 ? "the file ends before"
        : told.si_code == SEGV_MAPERR ? "nothing is there"
                                      : "it is not for that");
    return told.si_addr != address;
}

int
main(void)
{
    struct sigaction sa = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    char *gone = pages(1);
    int fd = open("/proc/self/exe", O_RDONLY), wrong = 0;
    char *file = mmap(NULL, 4096 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

    munmap(gone, PAGE);
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    begin(11);
    say("A program tries what it must not. It catches the signals, so it lives to tell:\n\n"
        "    what                      signal    address told        why\n");
    wrong |= attempt("read by a NULL pointer", NULL, 0);
    wrong |= attempt("read what was unmapped", gone, 0);
    wrong |= attempt("store into its own code", (char *)(uintptr_t)main, 1);
    wrong |= attempt("read where the kernel is", (char *)0xffffffff80000000UL, 0);
    wrong |= attempt("read past a file's end", file + 4000 * PAGE, 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        if (chdir("/var/tmp") == 0 && access("/proc/vitrine", F_OK) == 0)
            setrlimit(RLIMIT_CORE, &limit); /* elsewhere cores may be kept for ever */
        *(volatile char *)gone = 1;
    }
    int status = ended(child), sig = WTERMSIG(status);
    say("\nA child does not: ended by signal %d (%s%s).\n\n"
        "The processor checks each access against what the entry of the page allows. If\n"
        "the kernel has no good answer to a fault, it sends a signal with the address.\n"
        "Who does not catch it is ended, and nobody else.%s\n",
        sig, strsignal(sig), WCOREDUMP(status) ? ", core dumped" : "",
        WCOREDUMP(status) ? " Once the machine is off,\n./vm core opens the core file in gdb: "
                            "it holds what was in its memory."
                          : "");
    return wrong || sig != SIGSEGV;
}
