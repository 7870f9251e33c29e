/*
 * mkdir_and_rmdir.c - directories come empty, with right link counts, and go only empty.
 */
/* also: tmpfs */
#include "test.h"

static long
links(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 ? (long)st.st_nlink : -1;
}

int
main(void)
{
    char cwd[512], deep[512] = "deep";

    show("mkdir", mkdir("d", 0755));
    show("links", links("d"));
    show("again", mkdir("d", 0755));
    show("inside", mkdir("d/e", 0755));
    show("links", links("d"));
    show("in nothing", mkdir("nobody/d", 0755));
    make_file("f", "f", 1);
    show("over a file", mkdir("f", 0755));
    show("in a file", mkdir("f/d", 0755));
    show("with a slash", mkdir("s/", 0755));
    show("the root", mkdir("/", 0755));
    show("the dot", mkdir(".", 0755));
    show("the empty name", mkdir("", 0755));
    show("rmdir when full", rmdir("d"));
    show("rmdir a file", rmdir("f"));
    show("rmdir nothing", rmdir("nobody"));
    show("rmdir the dot", rmdir("d/."));
    show("rmdir the dots", rmdir("d/e/.."));
    show("rmdir inside", rmdir("d/e"));
    show("links", links("d"));
    show("chdir into it", chdir("d"));
    show("rmdir where one stands", rmdir("../d"));
    show("getcwd there", getcwd(cwd, sizeof(cwd)) == NULL ? -1 : 0);
    show_ok("create there", open("x", O_CREAT | O_WRONLY, 0600));
    show("mkdir there", mkdir("x", 0755));
    show("the dot is there", access(".", F_OK));
    show("back by the dots", chdir(".."));
    show("a file is here", access("f", F_OK));
    for (int i = 0; i < 40; i++) {
        MUST(mkdir(deep, 0755));
        strcat(deep, "/deep");
    }
    deep[strlen(deep) - strlen("/deep")] = '\0';
    show("forty deep", access(deep, F_OK));
    return finish();
}
