/*
 * argv_envp_big.c - many and long arguments arrive whole, too many are E2BIG.
 *
 * The program starts itself and reports a checksum of what it was given.
 */
#include "test.h"

extern char **environ;

static unsigned
sum_of(char **strings)
{
    unsigned sum = 0;

    for (; *strings != NULL; strings++)
        for (char *p = *strings; *p != '\0'; p++)
            sum = sum * 31 + (unsigned char)*p;
    return sum;
}

static void
start(const char *what, char **argv, char **envp)
{
    pid_t pid = (pid_t)MUST(fork());

    if (pid == 0) {
        execve("/proc/self/exe", argv, envp);
        say("%s: %s\n", what, errno_name(errno));
        _exit(99);
    }
    show_status(what, reap(pid));
}

static char *
long_string(size_t length)
{
    char *s = pages(length / PAGE + 1);

    for (size_t i = 0; i < length; i++)
        s[i] = (char)('a' + i % 26);
    return s;
}

int
main(int argc, char **argv)
{
    static char *args[3000], *none[1];
    static char numbers[3000][16];

    if (strcmp(argv[0], "me") == 0) {
        say("%d arguments, sum %08x, environment %08x\n", argc, sum_of(argv), sum_of(environ));
        return 0;
    }
    args[0] = "me";
    args[1] = "";
    start("an empty argument", args, none);
    for (int i = 1; i < 2999; i++) {
        snprintf(numbers[i], sizeof(numbers[i]), "number %d", i);
        args[i] = numbers[i];
    }
    start("3000 arguments", args, none);
    start("3000 of the environment", (char *[]){"me", NULL}, args);
    args[1] = long_string(100000);
    args[2] = NULL;
    start("100000 bytes in one", args, none);
    args[1] = long_string(140000);
    start("140000 bytes in one", args, none);
    args[1] = long_string(100000);
    for (int i = 2; i < 40; i++)
        args[i] = args[1];
    args[40] = NULL;
    start("4 MB together", args, none);
    start("4 MB of environment", (char *[]){"me", NULL}, args);
    args[1] = (char *)0xffff800000000000;
    args[2] = NULL;
    start("a kernel address in argv", args, none);
    start("argv at a kernel address", (char **)0xffff800000000000, none);
    start("envp at a bad address", (char *[]){"me", "x", NULL}, (char **)8);
    return finish();
}
