/*
 * system_identity.c - uname's fields are there, limits are as they should be, and calls
 * meant for a terminal say ENOTTY elsewhere.
 */
#include "test.h"

#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <termios.h>

int
main(void)
{
    struct utsname u;
    struct rlimit r;
    struct termios t;
    struct winsize w;
    int p[2];

    MUST(uname(&u));
    CHECK("sysname", u.sysname[0] != '\0');
    CHECK("release begins with a number", u.release[0] >= '1' && u.release[0] <= '9');
    say("%s\n", u.machine);
    MUST(getrlimit(RLIMIT_STACK, &r));
    show("RLIMIT_STACK", (long)r.rlim_cur);
    r = (struct rlimit){2000, 1000};
    show("current above maximum", setrlimit(RLIMIT_NOFILE, &r));
    show("a limit that is not", getrlimit(99, &r));
    MUST(pipe(p));
    make_file("f", "f", 1);
    int fd = (int)MUST(open("f", O_RDWR));
    show("TCGETS on a file", tcgetattr(fd, &t));
    show("TCGETS on a pipe", tcgetattr(p[0], &t));
    show("TIOCGWINSZ on a file", ioctl(fd, TIOCGWINSZ, &w));
    show("TIOCGPGRP on a pipe", ioctl(p[0], TIOCGPGRP, &p[1]));
    show("unknown request", ioctl(fd, 0x12345, 0));
    show("closed", ioctl(99, TCGETS, &t));
    show("isatty", isatty(fd));
    CHECK("numbers", getpid() > 0 && getppid() > 0 && syscall(SYS_gettid) == getpid());
    struct rusage usage;
    show("getrusage", getrusage(RUSAGE_SELF, &usage));
    show("getrusage of nobody", getrusage(77, &usage));
    return finish();
}
