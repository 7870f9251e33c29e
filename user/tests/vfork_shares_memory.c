/*
 * vfork_shares_memory.c - the child of vfork runs in the parent's memory, and the
 * parent waits until it ends or starts a program.
 *
 * What a shell does to start a program cheaply.
 */
#include "test.h"

static volatile int shared_word;

int
main(int argc, char **argv)
{
    if (argc > 1)
        return 9;
    char self[256] = "";
    MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
    pid_t pid = vfork();
    if (pid == 0) {
        shared_word = 5;
        _exit(4);
    }
    CHECK("the store of the child is seen", shared_word == 5);
    show_status("the child", reap(pid));

    char *args[] = {argv[0], "again", NULL};
    pid = vfork();
    if (pid == 0) {
        shared_word = 6;
        execv(self, args);
        _exit(100);
    }
    CHECK("also when it went on to exec", shared_word == 6);
    show_status("the program", reap(pid));
    pid = vfork();
    if (pid == 0) {
        execv("./no-such-program", args);
        _exit(errno == ENOENT ? 20 : 21);
    }
    show_status("an exec that failed", reap(pid));
    return finish();
}
