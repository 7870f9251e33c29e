/*
 * path_walk.c - how names are looked up: dots, slashes, lengths, files in the middle.
 */
/* also: tmpfs */
#include "test.h"

static void
try(const char *path)
{
    struct stat st;
    char what[64];

    snprintf(what, sizeof(what), "\"%.40s\"%s", path, strlen(path) > 40 ? "..." : "");
    show(what, stat(path, &st));
}

int
main(void)
{
    static char name[300], path[6000];

    MUST(mkdir("d", 0755));
    MUST(mkdir("d/e", 0755));
    make_file("f", "f", 1);
    make_file("d/g", "g", 1);
    try("");
    try(".");
    try("./f");
    try("d/../f");
    try("d//e///..//g");
    try("d/e/../../f");
    try("d/.");
    try("d/nobody");
    try("d/nobody/..");
    try("f/");
    try("f/.");
    try("f/..");
    try("f/x");
    try("/");
    try("//");
    try("/..");
    try("/../../dev/null");
    memset(name, 'n', 255);
    show_ok("a name of 255 bytes", open(name, O_CREAT | O_WRONLY, 0600));
    try(name);
    name[255] = 'n';
    try(name);
    for (int i = 0; i < 2040; i++)
        memcpy(path + 2 * i, "./", 2);
    strcpy(path + 4080, "f");
    try(path);
    for (int i = 2040; i < 2100; i++)
        memcpy(path + 2 * i, "./", 2);
    strcpy(path + 4200, "f");
    try(path);
    try("/proc/self/exe/");
    try("/proc/self/cwd/");
    show_ok("create over a magic link", open("/proc/self/cwd", O_CREAT | O_RDONLY, 0600));
    CHECK("the caller goes on", access("f", F_OK) == 0);
    show("access nothing", access("nobody", F_OK));
    show("access to run", access("f", X_OK));
    show("access with bad mode", access("f", 99));
    return finish();
}
