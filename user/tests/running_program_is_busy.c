/*
 * running_program_is_busy.c - ETXTBSY: nobody writes to a program that runs, and nobody runs a
 * file that is being written.
 */
#include "test.h"

static const char *copy = "/tmp/busy_program";

static void
copy_self(void)
{
    static char buf[65536];
    int in = open("/proc/self/exe", O_RDONLY),
        out = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0700);
    ssize_t n;

    while ((n = read(in, buf, sizeof(buf))) > 0)
        if (write(out, buf, n) != n)
            say("write failed\n");
    close(in);
    close(out);
}

/* Runs the copy with one argument; its exit status, or the errno of execve. */
static void
run(const char *what)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        execl(copy, copy, "child", NULL);
        say("%s: exec: %s\n", what, errno_name(errno));
        _exit(1);
    }
    waitpid(child, &status, 0);
    say("%s: exit status %d\n", what, WEXITSTATUS(status));
}

static void
attempt(const char *what, int result)
{
    say("%s: %s\n", what, result >= 0 ? "ok" : errno_name(errno));
    if (result > 0)
        close(result);
}

static void
child_attacks_itself(void)
{
    attempt("open to write", open(copy, O_WRONLY));
    attempt("open to read and write", open(copy, O_RDWR));
    attempt("open to read", open(copy, O_RDONLY));
    attempt("open to read, cutting it", open(copy, O_RDONLY | O_TRUNC));
    attempt("truncate", truncate(copy, 0));
    attempt("append by name", open(copy, O_WRONLY | O_APPEND));

    pid_t child = fork();

    if (child == 0) {
        attempt("its child: open to write", open(copy, O_WRONLY));
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    waitpid(child, NULL, 0);
    attempt("chmod", chmod(copy, 0755));
    attempt("rename", rename(copy, "/tmp/busy_program.2"));
    attempt("open to write by its new name", open("/tmp/busy_program.2", O_WRONLY));
    attempt("and back", rename("/tmp/busy_program.2", copy));
}

int
main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        child_attacks_itself();
        return 7;
    }
    copy_self();
    run("untouched");
    attempt("after it ended: open to write", open(copy, O_WRONLY));

    int writer = open(copy, O_WRONLY);

    run("while it is open for writing");
    close(writer);
    int reader = open(copy, O_RDONLY);

    run("while it is open for reading");
    close(reader);

    int script = open("/tmp/busy_script", O_WRONLY | O_CREAT | O_TRUNC, 0700);
    copy = "/tmp/busy_script";
    if (write(script, "#!/bin/sh\nexit 3\n", 17) != 17)
        say("write failed\n");
    run("a script that is open for writing");
    close(script);
    run("a script");
    unlink("/tmp/busy_script");
    unlink("/tmp/busy_program");
    return 0;
}
