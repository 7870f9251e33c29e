/*
 * truncate_takes_copies.c - private copies of pages that the file no longer has are gone.
 *
 * mmap(2): touching a page behind the end of the file is SIGBUS, also for a private page that
 * was written before the file was cut; and when the file grows again, its zeros are there.
 */
#include "test.h"

#include <setjmp.h>

static sigjmp_buf back;
static const char *name = "/tmp/truncate_takes_copies";

static void
on_sigbus(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    siglongjmp(back, info->si_code == BUS_ADRERR ? 1 : 2);
}

/* The byte, or "SIGBUS". */
static const char *
look(const volatile char *p)
{
    static char text[16];
    int how = sigsetjmp(back, 1);

    if (how != 0)
        return how == 1 ? "SIGBUS" : "SIGBUS, but another code";
    snprintf(text, sizeof(text), "%c", *p == 0 ? '0' : *p);
    return text;
}

static void
look_at_all(const char *when, const char *p)
{
    say("%s:", when);
    for (int i = 0; i < 4; i++)
        say(" %s", look(p + i * PAGE));
    say("\n");
}

int
main(void)
{
    struct sigaction act = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
    char page[PAGE];
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

    sigaction(SIGBUS, &act, NULL);
    memset(page, 'f', sizeof(page));
    for (int i = 0; i < 4; i++)
        if (write(fd, page, PAGE) != PAGE)
            say("write failed\n");

    char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *high = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 3 * PAGE);

    p[0] = p[1 * PAGE] = p[3 * PAGE] = high[0] = 'c';
    look_at_all("copies of pages 0, 1 and 3", p);

    pid_t child = fork();

    if (child == 0) {
        if (ftruncate(fd, PAGE + 1) != 0)
            say("ftruncate failed\n");
        look_at_all("the child, which cut the file to a page and a byte", p);
        say("a window onto page 3: %s\n", look(high));
        _exit(0);
    }
    waitpid(child, NULL, 0);
    look_at_all("the parent", p);
    say("a window onto page 3: %s\n", look(high));
    if (ftruncate(fd, 4 * PAGE) != 0)
        say("ftruncate failed\n");
    look_at_all("after it grew again", p);
    say("a window onto page 3: %s\n", look(high));
    p[3 * PAGE] = 'n';
    look_at_all("written again", p);
    if (truncate(name, 0) != 0)
        say("truncate failed\n");
    look_at_all("cut to nothing", p);
    close(open(name, O_RDWR | O_TRUNC));
    unlink(name);
    munmap(p, 4 * PAGE);
    return 0;
}
