/*
 * exec_refuses.c - what execve says to things that are no programs.
 *
 * The caller must still be whole afterwards: descriptors, memory, handlers.
 */
/* also: tmpfs */
#include "test.h"

static void
try(const char *path)
{
    char *argv[] = {"x", NULL}, *envp[] = {NULL};
    char what[64];

    snprintf(what, sizeof(what), "\"%.40s\"", path);
    show(what, execve(path, argv, envp));
}

int
main(void)
{
    static char long_name[300], long_path[5000];
    char *m = pages(2);

    memset(m, 'v', 2 * PAGE);
    memset(long_name, 'n', sizeof(long_name) - 1);
    memset(long_path, '/', sizeof(long_path) - 1);
    make_file("plain", "hello\n", 6);
    make_file("empty", "", 0);
    make_file("words", "hello\n", 6);
    make_file("data", "\1\2\3\4\5\6\7", 7);
    MUST(chmod("plain", 0644));
    MUST(chmod("empty", 0755) | chmod("words", 0755) | chmod("data", 0755));
    MUST(mkdir("dir", 0755));
    MUST(symlink("loop", "loop"));
    MUST(symlink("nobody", "dangling"));
    try("");
    try("nobody");
    try("nobody/x");
    try("plain");
    try("plain/x");
    try("empty");
    try("words");
    try("data");
    try("dir");
    try("dir/");
    try(".");
    try("loop");
    try("dangling");
    try("words/");
    try(long_name);
    try(long_path);
    try("/dev/null");
    CHECK("the caller is whole", all_bytes(m, 2 * PAGE, 'v'));
    return finish();
}
