/*
 * core_is_written_when_allowed.c - which deaths leave a core file, and which do not.
 *
 * wait() tells of a core by WCOREDUMP; whether the file is there, its rights and what became of
 * what had its name before are looked at too.  The file's name is core or core.PID.
 */
/* needs: root */
/* also: tmpfs */
#include "test.h"

#include <sys/prctl.h>

#define ANY RLIM_INFINITY
#define INDIRECT \
    (12 << 10) /* what a file system may need to remember where a file's blocks are */

/* Looks at @name, which could be the core's, and removes it. */
static int
take(const char *name, struct stat *st)
{
    if (lstat(name, st) == -1)
        return 0;
    if (unlink(name) == -1)
        rmdir(name);
    return S_ISREG(st->st_mode) && st->st_nlink == 1;
}

/* The core of @pid, under one of the names that it can have; both are free afterwards. */
static int
take_core(pid_t pid, struct stat *st)
{
    char name[64];
    struct stat other;
    int there, old;

    snprintf(name, sizeof(name), "core.%d", pid);
    there = take(name, st);
    old = take("core", there ? &other : st);
    return there + old;
}

static void
limit_core(rlim_t limit)
{
    MUST(setrlimit(RLIMIT_CORE, &(struct rlimit){limit, ANY}));
}

/* Forks; the child calls @prepare and dies of @sig; says what is left. Removes the core. */
static void
die(const char *what, rlim_t limit, int sig, void (*prepare)(void))
{
    struct stat st;
    pid_t pid = MUST(fork());

    if (pid == 0) {
        limit_core(limit);
        signal(sig, SIG_DFL);
        if (prepare != NULL)
            prepare();
        raise(sig);
        _exit(0);
    }

    int status = reap(pid);
    int there = take_core(pid, &st);

    say("%-28s %s, %s, %s\n", what, signal_name(WTERMSIG(status)),
        WCOREDUMP(status) ? "dumped" : "not dumped", there ? "a core" : "no core");
    if (there && (st.st_mode & 07777) != 0600)
        say("its mode is %o\n", st.st_mode & 07777);
    if (limit != ANY && there && (rlim_t)st.st_blocks * 512 > limit + INDIRECT)
        say("it takes more room than the limit\n");
}

static void
grow(void)
{
    static char much[64 * PAGE];

    memset(much, 1, sizeof(much));
}

static void
not_dumpable(void)
{
    show("PR_SET_DUMPABLE", prctl(PR_SET_DUMPABLE, 0));
}

static void
another_user(void)
{
    MUST(setresuid(1000, 1000, 1000));
    show("after setuid, PR_GET_DUMPABLE", prctl(PR_GET_DUMPABLE));
}

static void
another_user_dumpable(void)
{
    another_user();
    MUST(prctl(PR_SET_DUMPABLE, 1));
}

static void
in_an_open_directory(void)
{
    MUST(mkdir("open", 0777));
    MUST(chmod("open", 0777));
    another_user_dumpable();
    MUST(chdir("open"));
}

/* What already has the name that the core will get: both names, as the pattern is not known. */
static void
twice(int (*make)(const char *name))
{
    char name[64];

    snprintf(name, sizeof(name), "core.%d", getpid());
    MUST(make(name));
    MUST(make("core"));
}

static int
make_link(const char *name)
{
    return symlink("target", name);
}

static int
make_directory(const char *name)
{
    return mkdir(name, 0755);
}

static int
make_second_name(const char *name)
{
    return link("precious", name);
}

static void
behind_a_link(void)
{
    twice(make_link);
}

static void
where_a_directory_is(void)
{
    twice(make_directory);
}

static void
where_a_file_is(void)
{
    twice(make_second_name);
}

int
main(void)
{
    static const int deadly[] = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                 SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};
    struct stat st;

    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
        die("unlimited", ANY, deadly[i], NULL);
    die("unlimited", ANY, SIGTERM, NULL);
    die("unlimited", ANY, SIGKILL, NULL);
    die("limit 0", 0, SIGSEGV, NULL);
    die("limit 4095", 4095, SIGSEGV, NULL);
    die("limit 4096", 4096, SIGSEGV, grow);
    die("limit 20 KiB", 20 << 10, SIGSEGV, grow);
    die("not dumpable", ANY, SIGSEGV, not_dumpable);
    die("of another user", ANY, SIGSEGV, another_user);
    die("in a directory of root's", ANY, SIGSEGV, another_user_dumpable);
    die("in an open directory", ANY, SIGSEGV, in_an_open_directory);
    CHECK("the core is in the open directory, so it is not empty",
          rmdir("open") == -1 && errno == ENOTEMPTY);

    die("where a link is", ANY, SIGSEGV, behind_a_link);
    CHECK("the link's target was not made", lstat("target", &st) == -1);
    die("where a directory is", ANY, SIGSEGV, where_a_directory_is);
    int fd = MUST(open("precious", O_CREAT | O_WRONLY, 0600));
    MUST(write(fd, "bytes", 5));
    die("where another file is", ANY, SIGSEGV, where_a_file_is);
    CHECK("that file is as it was", fstat(fd, &st) == 0 && st.st_size == 5);
    return finish();
}
