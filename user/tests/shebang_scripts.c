/*
 * shebang_scripts.c - a file that begins with #! is run by the program it names.
 *
 * The interpreter is this program, copied to the working directory; it prints the
 * arguments it was given.
 */
/* also: tmpfs */
#include "test.h"

extern char **environ;

static void
copy_self(void)
{
    static char buf[65536];
    int in = (int)MUST(open("/proc/self/exe", O_RDONLY));
    int out = (int)MUST(open("show", O_CREAT | O_WRONLY, 0755));
    ssize_t n;

    while ((n = MUST(read(in, buf, sizeof(buf)))) > 0)
        MUST(write(out, buf, n));
    close(in);
    close(out);
}

static void
script(const char *what, const char *text, size_t length, char *arg)
{
    char *argv[] = {"argv0", arg, NULL};

    unlink("script");
    make_file("script", text, length);
    MUST(chmod("script", 0755));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        execve("./script", argv, environ);
        say("%s: %s\n", what, errno_name(errno));
        _exit(99);
    }
    show_status(what, reap(pid));
}
#define SCRIPT(what, text, arg) script(what, text, sizeof(text) - 1, arg)

int
main(int argc, char **argv)
{
    if (strcmp(argv[0], "./show") == 0) {
        for (int i = 0; i < argc; i++)
            say("  [%s]\n", argv[i]);
        return 10 + argc;
    }
    copy_self();
    SCRIPT("plain", "#!./show\nrest\n", "one");
    SCRIPT("with an argument", "#!./show -x\n", "one");
    SCRIPT("arguments are not split", "#! ./show  -x  -y  \n", "one");
    SCRIPT("tabs", "#!\t./show\t-x\t\n", NULL);
    SCRIPT("no end of line", "#!./show", "one");
    SCRIPT("nobody", "#!./nobody\n", "one");
    SCRIPT("carriage return", "#!./show\r\n", "one");
    SCRIPT("a directory", "#!/\n", "one");
    SCRIPT("nothing named", "#!\n", "one");
    SCRIPT("only blanks", "#!   \n", "one");
    SCRIPT("itself", "#!./script\n", "one");
    MUST(rename("script", "self"));
    SCRIPT("a script as interpreter", "#!./inner -o\n", "one");
    make_file("inner", "#!./show -i\n", 12);
    MUST(chmod("inner", 0755));
    SCRIPT("a script that is there", "#!./inner -o\n", "one");
    MUST(chmod("inner", 0644));
    SCRIPT("an interpreter that may not run", "#!./inner -o\n", "one");
    return finish();
}
