/*
 * limits_of_others.c - prlimit, setpriority and affinity of another process: whose may be
 * changed, and that it counts there.
 */
/* needs: root */
#include "test.h"

static void
hold(struct gate g[2])
{
    struct rlimit r;

    gate_open(&g[0]);
    gate_wait(&g[1]);
    MUST(getrlimit(RLIMIT_NOFILE, &r));
    say("child: %ld descriptors, nice %d\n", (long)r.rlim_cur, getpriority(PRIO_PROCESS, 0));
    show_ok("one more descriptor", dup2(0, 10));
    show("ten pages",
         mmap(NULL, 1UL << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
             ? -1
             : 0);
    _exit(0);
}

static void
as_stranger(void *arg)
{
    pid_t pid = *(pid_t *)arg;
    struct rlimit r = {10, 10};

    uid_t uid = 40000 + (uid_t)getppid() % 20000; /* one that nobody else on this machine has */

    MUST(setresgid(uid, uid, uid));
    MUST(setresuid(uid, uid, uid));
    show("read a limit", prlimit(pid, RLIMIT_NOFILE, NULL, &r));
    show("set a limit", prlimit(pid, RLIMIT_NOFILE, &r, NULL));
    show("set nice", setpriority(PRIO_PROCESS, (id_t)pid, 19));
    show("set a group's nice", setpriority(PRIO_PGRP, (id_t)getpgid(pid), 19));
    errno = 0;
    show("read nice", getpriority(PRIO_PROCESS, (id_t)pid));
    show("be nicer", setpriority(PRIO_PROCESS, 0, 5));
    show("less nice", setpriority(PRIO_PROCESS, 0, 0));
    show("all of ours", setpriority(PRIO_USER, 0, 7));
    show("it counts", getpriority(PRIO_USER, uid));
}

int
main(void)
{
    struct gate g[2];
    struct rlimit r = {10, 1000}, as = {1UL << 29, RLIM_INFINITY}, old;
    unsigned long mask[16] = {1};

    MUST(setpriority(PRIO_PROCESS, 0, 0)); /* whatever the tests are run at */
    gate_make(&g[0]);
    gate_make(&g[1]);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        setpgid(0, 0);
        hold(g);
    }
    gate_wait(&g[0]);
    show("limit of descriptors", prlimit(pid, RLIMIT_NOFILE, &r, &old));
    show("and of addresses", prlimit(pid, RLIMIT_AS, &as, NULL));
    show("told back", prlimit(pid, RLIMIT_NOFILE, NULL, &old));
    say("%ld %ld\n", (long)old.rlim_cur, (long)old.rlim_max);
    show("soft above hard", prlimit(pid, RLIMIT_NOFILE, &(struct rlimit){11, 10}, NULL));
    show("no such limit", prlimit(pid, 99, NULL, &old));
    show("no such process", prlimit(0x3fffffff, RLIMIT_NOFILE, NULL, &old));
    show("from nowhere", syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, 8, 0));
    show("group's nice", setpriority(PRIO_PGRP, (id_t)pid, 3));
    show("no such group", setpriority(PRIO_PGRP, 0x3fffffff, 3));
    show("no such kind", setpriority(7, 0, 3));
    show_status("a stranger", in_child(as_stranger, &pid));
    gate_open(&g[1]);
    show_status("the child", reap(pid));

    show_ok("affinity", syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask));
    show("odd length", syscall(SYS_sched_getaffinity, 0, 7, mask));
    show_ok("of a dead one", syscall(SYS_sched_getaffinity, pid, sizeof(mask), mask));
    show("set it", syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask));
    show("of a dead one", syscall(SYS_sched_setaffinity, pid, sizeof(mask), mask));
    memset(mask, 0, sizeof(mask));
    show("no processor", syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask));
    CHECK("membarrier tells what it can", (syscall(SYS_membarrier, 0, 0) & 1) == 1);
    show("and does it", syscall(SYS_membarrier, 1, 0));
    show("no such command", syscall(SYS_membarrier, 1 << 30, 0));
    show("no such flag", syscall(SYS_membarrier, 0, 77));
    return finish();
}
