/*
 * access_of_real_root.c - access() judges by the real user with all that this one may do, also
 * when it is root who acts as somebody else for a while.
 */
/* needs: root */
#include "test.h"

#define OTHER 40123

int
main(void)
{
    make_file("f", "f", 1);
    MUST(chown("f", OTHER, OTHER));
    MUST(chmod("f", 0));
    MUST(chmod(".", 0755));
    MUST(setegid(OTHER));
    MUST(seteuid(OTHER));
    show("open", open("f", O_RDONLY));
    show("access: read and write", access("f", R_OK | W_OK));
    show("access: execute", access("f", X_OK));
    show("faccessat, effective", syscall(439, AT_FDCWD, "f", R_OK, AT_EACCESS));
    MUST(seteuid(0));
    MUST(setreuid(OTHER, 0));
    show("the other way round, open", open("f", O_RDONLY) >= 0 ? 0 : -1);
    show("access", access("f", R_OK));
    show("faccessat, effective", syscall(439, AT_FDCWD, "f", R_OK, AT_EACCESS));
    return finish();
}
