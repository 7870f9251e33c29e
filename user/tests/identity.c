/*
 * identity.c - user and group numbers: what root may set, what it cannot take back.
 *
 * The numbers decide about files: a 0600 file of root's is closed to another user.
 */
/* also: tmpfs */
/* needs: root */
#include "test.h"

#include <sys/fsuid.h>

static void
drop(void *arg)
{
    (void)arg;
    show("group first", setresgid(1000, 1000, 1000));
    show("then user", setresuid(1000, 1000, 1000));
    say("%d %d %d %d\n", (int)getuid(), (int)geteuid(), (int)getgid(), (int)getegid());
    show("back to root", setresuid(0, 0, 0));
    show("no change is allowed", setresuid(-1, -1, -1));
    (void)setfsuid(0);
    (void)setfsgid(0);
    say("nor by way of files: %d %d\n", setfsuid(-1), setfsgid(-1));
    show_ok("a file for root only", open("secret", O_RDONLY));
    show_ok("a file for all to read", open("public", O_RDONLY));
    show_ok("but not to write", open("public", O_WRONLY));
    show_ok("a file in a closed directory", open("closed/f", O_RDONLY));
    show("access says so too", access("secret", R_OK));
    show("chmod of another's file", chmod("public", 0777));
    show_ok("create in root's directory", open("new", O_CREAT | O_WRONLY, 0600));
    show("unlink there", unlink("public"));
    show("kill root's process", kill(getppid(), 0));
}

int
main(void)
{
    MUST(chmod(".", 0755));
    make_file("secret", "s", 1);
    make_file("public", "p", 1);
    MUST(chmod("secret", 0600));
    MUST(chmod("public", 0644));
    MUST(mkdir("closed", 0700));
    make_file("closed/f", "f", 1);
    say("%d %d %d %d\n", (int)getuid(), (int)geteuid(), (int)getgid(), (int)getegid());
    MUST(chmod("public", 0));
    show_ok("root reads what nobody may", open("public", O_RDWR));
    MUST(chmod("public", 0644));
    show_status("dropped", in_child(drop, NULL));
    return finish();
}
