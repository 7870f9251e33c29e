/*
 * getcwd_follows.c - the working directory is a place, not a name: it follows a rename,
 * and ends with rmdir.
 */
/* also: tmpfs */
#include "test.h"

static char start[512];

static void
here(const char *what)
{
    char cwd[600];

    if (getcwd(cwd, sizeof(cwd)) == NULL)
        say("%s: %s\n", what, errno_name(errno));
    else
        say("%s: %s\n", what,
            strncmp(cwd, start, strlen(start)) == 0 ? cwd + strlen(start) : "elsewhere");
}

int
main(void)
{
    char tiny[4];

    MUST(getcwd(start, sizeof(start)) == NULL ? -1 : 0);
    here("at first");
    MUST(mkdir("a", 0755));
    MUST(mkdir("a/b", 0755));
    MUST(mkdir("c", 0755));
    show("chdir", chdir("a/b"));
    here("inside");
    MUST(rename("../../a", "../../renamed"));
    here("after a rename above");
    MUST(rename("../../renamed/b", "../../c/moved"));
    here("after a move");
    show("too small a buffer", syscall(SYS_getcwd, tiny, 4));
    show("to a file", chdir("../../f"));
    show("nowhere", chdir("nobody"));
    show("root", chdir("/"));
    char cwd[16];
    say("%s\n", getcwd(cwd, sizeof(cwd)));
    return finish();
}
