/*
 * threads_proc.c - threads as /proc shows them: listings, stat, status and comm of each.
 */
#include "threads.h"

static atomic_int tids[3], stop;
static char text[4096], name[128];

static void *
stay(void *arg)
{
    intptr_t me = (intptr_t)arg;
    char own[16];

    snprintf(own, sizeof(own), "worker %d", (int)me);
    MUST0(pthread_setname_np(pthread_self(), own));
    tids[me] = my_tid();
    while (!stop)
        futex(&stop, FUTEX_WAIT, 0, NULL, NULL, 0);
    return arg;
}

/* The text of /proc/self/task/TID/FILE. */
static const char *
task_file(int tid, const char *file)
{
    snprintf(name, sizeof(name), "/proc/self/task/%d/%s", tid, file);
    if (read_text(name, text, sizeof(text)) < 0)
        return errno_name(errno);
    return text;
}

static long
status_of(int tid, const char *key)
{
    const char *at = strstr(task_file(tid, "status"), key);

    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

/* Does the directory list this number, and how many numbers? */
static int
lists(const char *directory, int number, int *count)
{
    DIR *d = opendir(directory);
    struct dirent *e;
    int found = 0;

    MUST(d == NULL ? -1 : 0);
    *count = 0;
    while ((e = readdir(d)) != NULL) {
        *count += e->d_name[0] >= '0' && e->d_name[0] <= '9';
        found += atoi(e->d_name) == number;
    }
    closedir(d);
    return found == 1;
}

static void
listings(void)
{
    int n, all = 1;
    struct stat st;

    for (int i = 0; i < 3; i++)
        all &= lists("/proc/self/task", tids[i], &n);
    CHECK("the tasks are listed", all && lists("/proc/self/task", getpid(), &n));
    show("how many", n);
    CHECK("a thread is no process in /proc's list", !lists("/proc", tids[0], &n));
    snprintf(name, sizeof(name), "/proc/self/task/%d", getppid());
    show("another process is no task", stat(name, &st));
}

static void
files(void)
{
    int n, fields[3];

    for (int i = 0; i < 3; i++) {
        say("%s", task_file(tids[i], "comm"));
        n = sscanf(task_file(tids[i], "stat"), "%d (%*[^)]) %*c %d %d", &fields[0], &fields[1],
                   &fields[2]);
        CHECK("stat: its number, its process's parent and group",
              n == 3 && fields[0] == tids[i] && fields[1] == getppid() &&
                  fields[2] == getpgrp());
        wait_asleep(tids[i]);
    }
    CHECK("status: the process, the thread, the parent",
          status_of(tids[1], "\nTgid:") == getpid() &&
              status_of(tids[1], "\nPid:") == tids[1] &&
              status_of(tids[1], "\nPPid:") == getppid());
    show("threads, in a thread's status", status_of(tids[1], "\nThreads:"));
    CHECK("the first thread's name is the program's",
          strcmp(task_file(getpid(), "comm"), "threads_proc\n") == 0);
}

static void
names(void)
{
    int fd = (int)MUST(open("/proc/thread-self/comm", O_WRONLY));

    show("write a name", write(fd, "first", 5));
    close(fd);
    say("%s", task_file(getpid(), "comm"));
    snprintf(name, sizeof(name), "/proc/self/task/%d/comm", tids[2]);
    fd = (int)MUST(open(name, O_WRONLY));
    show("write another thread's", write(fd, "the name is too long", 20));
    close(fd);
    say("%s", task_file(tids[2], "comm"));
    char got[16] = "";
    MUST(readlink("/proc/thread-self", text, sizeof(text)));
    snprintf(name, sizeof(name), "%d/task/%d", getpid(), my_tid());
    CHECK("/proc/thread-self", strncmp(text, name, strlen(name)) == 0);
    show_error("its name by its handle", pthread_getname_np(pthread_self(), got, sizeof(got)));
    say("%s\n", got);
}

int
main(void)
{
    pthread_t t[3];
    struct stat st;

    start_all(t, 3, stay);
    for (int i = 0; i < 3; i++)
        await(&tids[i], 0);
    listings();
    files();
    names();
    snprintf(name, sizeof(name), "/proc/self/task/%d/status", tids[0]);
    int fd = (int)MUST(open(name, O_RDONLY));
    stop = 1;
    futex(&stop, FUTEX_WAKE, 3, NULL, NULL, 0);
    join_all(t, 3);
    wait_tasks(1);
    show("a thread that is gone", stat(name, &st));
    show("read its file, opened before", read(fd, text, 10));
    show("threads", field_of("Threads"));
    return finish();
}
