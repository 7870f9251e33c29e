/*
 * rename_matrix.c - every kind of thing renamed onto every kind of thing.
 *
 * Files replace files and links, directories replace empty directories, nothing becomes
 * its own child; what the errno is otherwise.
 */
/* also: tmpfs */
#include "test.h"

static const char *const kinds[] = {"missing", "file", "empty", "full", "link", "loop"};

static void
make(const char *name, int kind)
{
    char inner[64];

    snprintf(inner, sizeof(inner), "%s/x", name);
    switch (kind) {
    case 1:
        make_file(name, name, 3);
        break;
    case 3:
        MUST(mkdir(name, 0755));
        make_file(inner, "x", 1);
        break;
    case 2:
        MUST(mkdir(name, 0755));
        break;
    case 4:
        MUST(symlink("somewhere", name));
        break;
    case 5:
        MUST(symlink(name, name));
        break;
    }
}

static void
clear(const char *name)
{
    char inner[64];

    snprintf(inner, sizeof(inner), "%s/x", name);
    unlink(inner);
    unlink(name);
    rmdir(name);
}

static void
others(void)
{
    struct stat a, b;

    MUST(mkdir("d", 0755));
    MUST(mkdir("d/e", 0755));
    make_file("f", "f", 1);
    show("into itself", rename("d", "d/x"));
    show("into its child", rename("d", "d/e/x"));
    show("child onto its parent", rename("d/e", "d"));
    show("onto itself", rename("d", "d"));
    show("the dot", rename("d/.", "x"));
    show("the dots", rename("d/e/..", "x"));
    show("to a missing directory", rename("f", "nobody/f"));
    show("to a file's inside", rename("f", "f/x"));
    show("file with a slash", rename("f", "g/"));
    show("directory with a slash", rename("d/", "dd/"));
    MUST(link("f", "g"));
    show("two names of one file", rename("f", "g"));
    CHECK("both stay", stat("f", &a) == 0 && stat("g", &b) == 0 && a.st_ino == b.st_ino);
    MUST(mkdir("other", 0755));
    show("a directory to another", rename("dd/e", "other/e"));
    CHECK("its dots follow",
          stat("other/e/..", &a) == 0 && stat("other", &b) == 0 && a.st_ino == b.st_ino);
    CHECK("the links too", stat("dd", &a) == 0 && a.st_nlink == 2);
    int fd = (int)MUST(open("f", O_RDONLY));
    make_file("new", "new", 3);
    show("over an open file", rename("new", "f"));
    char c = 0;
    CHECK("which can still be read", read(fd, &c, 1) == 1 && c == 'f');
}

int
main(void)
{
    char what[64];
    struct stat st;

    for (int from = 0; from < 6; from++)
        for (int to = 0; to < 6; to++) {
            make("from", from);
            make("to", to);
            snprintf(what, sizeof(what), "%s onto %s", kinds[from], kinds[to]);
            int r = rename("from", "to");
            show(what, r);
            if (r == 0)
                CHECK("moved", lstat("from", &st) == -1 && lstat("to", &st) == 0);
            clear("from");
            clear("to");
        }
    others();
    return finish();
}
