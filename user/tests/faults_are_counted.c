/*
 * faults_are_counted.c - getrusage() and /proc/self/stat tell the same page faults, each once.
 */
#include "test.h"

static long
faults(int who)
{
    struct rusage u;

    MUST(getrusage(who, &u));
    return u.ru_minflt + u.ru_majflt;
}

/* Fields 10 and 12 of stat: minflt and majflt. */
static long
stat_faults(void)
{
    static char text[1024];
    long minor, major;
    int fd = (int)MUST(open("/proc/self/stat", O_RDONLY));
    ssize_t n = MUST(read(fd, text, sizeof(text) - 1));

    close(fd);
    text[n] = '\0';
    int found = sscanf(strrchr(text, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %ld %*u %ld",
                       &minor, &major);
    MUST(found == 2 ? 0 : -1);
    return minor + major;
}

static void
touch(void *n)
{
    size_t count = (size_t)n;
    char *p = pages(count);

    for (size_t k = 0; k < count; k++)
        p[k * PAGE] = 1;
    MUST(munmap(p, count * PAGE));
}

/* After execve: @before is what the process had counted until then. */
static int
after_exec(const char *before)
{
    CHECK("exec forgets no fault", faults(RUSAGE_SELF) >= atol(before));
    return finish();
}

int
main(int argc, char **argv)
{
    char text[32];

    if (argc > 1)
        return after_exec(argv[1]);
    stat_faults(); /* every page of this is touched now */
    faults(RUSAGE_SELF);
    touch((void *)10);

    long before = faults(RUSAGE_SELF), told = stat_faults();
    touch((void *)10);
    long after = faults(RUSAGE_SELF);
    CHECK("stat says the same as getrusage", told == before);
    CHECK("ten new pages are ten faults", after - before == 10);
    CHECK("no child, no faults of children", faults(RUSAGE_CHILDREN) == 0);
    show_status("child", in_child(touch, (void *)300));
    long children = faults(RUSAGE_CHILDREN);
    CHECK("a child's faults come to its parent when it is waited for", children >= 300);
    touch((void *)300);
    pid_t pid = (pid_t)MUST(vfork());
    if (pid == 0)
        _exit(0);
    show_status("vfork", reap(pid));
    CHECK("a child in the parent's memory has not had the parent's faults",
          faults(RUSAGE_CHILDREN) < children + 200);
    snprintf(text, sizeof(text), "%ld", faults(RUSAGE_SELF));
    execl("/proc/self/exe", "faults_are_counted", text, (char *)NULL);
    return 99;
}
