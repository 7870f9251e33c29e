/*
 * capabilities.c - capget and capset: what is given up does not come back, save by exec, and
 * root's powers go with root's numbers.
 */
/* needs: root */
#include "test.h"

struct header {
    uint32_t version;
    int pid;
};
struct data {
    uint32_t effective, permitted, inheritable;
};

#define V1 0x19980330

static int
get(int pid, struct data d[2])
{
    struct header h = {0x20080522, pid};

    memset(d, 0, 2 * sizeof(*d));
    return (int)syscall(SYS_capget, &h, d);
}

static int
set(const struct data d[2])
{
    struct header h = {0x20080522, 0};

    return (int)syscall(SYS_capset, &h, d);
}

static const char *
some(uint32_t low, uint32_t high)
{
    return low | high ? "some" : "none";
}

static void
say_mine(const char *when)
{
    struct data d[2];

    MUST(get(0, d));
    say("%s: effective %s, permitted %s, inheritable %s\n", when,
        some(d[0].effective, d[1].effective), some(d[0].permitted, d[1].permitted),
        some(d[0].inheritable, d[1].inheritable));
}

static void
versions(void)
{
    struct header h = {0, 0};
    struct data d[2];

    show("no such version, no data", syscall(SYS_capget, &h, NULL));
    say("what is offered: %#x\n", h.version);
    h.version = 1;
    show("no such version", syscall(SYS_capget, &h, d));
    h = (struct header){V1, 0};
    memset(d, 0x55, sizeof(d));
    show("version 1", syscall(SYS_capget, &h, d));
    CHECK("fills one piece", d[1].effective == 0x55555555);
    h = (struct header){0x20080522, -1};
    show("pid -1", syscall(SYS_capget, &h, d));
    h.pid = 0x3fffffff;
    show("no such process", syscall(SYS_capget, &h, d));
    h.pid = getppid();
    show("another's can be read", syscall(SYS_capget, &h, d));
    show("but not set", syscall(SYS_capset, &h, d));
    show("bad header", syscall(SYS_capget, 8, d));
    h.pid = 0;
    show("bad data", syscall(SYS_capget, &h, 8));
}

static void
give_up(void *arg)
{
    struct data full[2], d[2];

    (void)arg;
    MUST(get(0, full));
    d[0] = full[0];
    d[1] = full[1];
    d[0].effective = d[1].effective = 0;
    show("lower the effective set", set(d));
    say_mine("lowered");
    show_ok("a file of another user's", open("closed", O_RDONLY));
    show_ok("raise the file size limit",
            setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}));
    show("put it back", set(full));
    show_ok("the file", open("closed", O_RDONLY));
    memset(d, 0, sizeof(d));
    show("give up all", set(d));
    say_mine("given up");
    show("no way back", set(full));
    d[0].inheritable = 1;
    show("nor by inheritance", set(d));
    if (fork() == 0)
        execl("/proc/self/exe", "capabilities", "after", NULL);
    wait(NULL);
}

static void
change_user(void *arg)
{
    (void)arg;
    MUST(setresuid(1000, 1000, 0));
    say_mine("another user, with root put aside");
    show("back", seteuid(0));
    say_mine("root again");
    MUST(setresuid(1000, 1000, 1000));
    say_mine("another user for good");
    if (fork() == 0)
        execl("/proc/self/exe", "capabilities", "after", NULL);
    wait(NULL);
}

int
main(int argc, char **argv)
{
    if (argc > 1) {
        say_mine(argv[1]);
        return 0;
    }
    make_file("closed", "x", 1);
    MUST(chown("closed", 4711, 4711));
    MUST(chmod("closed", 0));
    MUST(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
    versions();
    show_status("give up", in_child(give_up, NULL));
    show_status("change user", in_child(change_user, NULL));
    return finish();
}
