/*
 * init.c - the first process: runs one program for the host, or a shell for
 * a person, and switches off.
 *
 *   - When the host has left a program in /dev/hostargv (./vm run), it is run with the host's
 *     standard streams.  Then everything else is ended, the kernel checks itself and counts
 *     what is still in use, and the program's status goes to the host.
 *   - Else a login shell is run on the console.  When it exits the machine goes
 *     off; SIGUSR1, SIGUSR2 and SIGTERM (busybox halt, poweroff, reboot) end it
 *     earlier, as with busybox's init.
 *   - In both cases orphans come to us and are reaped.
 *
 * The count of what is in use must find us as it left us: so the whole way is gone once
 * before the first count (rehearse), and what could touch memory anew is done in a child.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/shm.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TERM_PATIENCE_MS 500 /* between SIGTERM and SIGKILL */
#define NOT_FOUND        127
#define NOT_RUNNABLE     126

static sigset_t watched; /* blocked in us; taken one at a time by sigwaitinfo */

/* ---- small things ---- */

/* A line for the kernel's log. */
static void
tell(const char *text, const char *more)
{
    char line[256];
    int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    int n = snprintf(line, sizeof(line), "init: %s%s\n", text, more);

    if (fd == -1)
        return;
    if (n >= (int)sizeof(line))
        n = (int)sizeof(line) - 1;
    (void)!write(fd, line, (size_t)n);
    close(fd);
}

/* Puts @text into the file @path, which exists. Returns 0 or -1. */
static int
put(const char *path, const char *text)
{
    size_t n = strlen(text);
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd == -1)
        return -1;
    int ok = write(fd, text, n) == (ssize_t)n;
    close(fd);
    return ok ? 0 : -1;
}

/* The whole file @path with a NUL behind it, or NULL; *len receives its length. */
static char *
read_whole(const char *path, size_t *len)
{
    size_t size = 0, room = 4096;
    char *data = malloc(room);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;

    while (fd != -1 && data != NULL && (n = read(fd, data + size, room - size - 1)) > 0) {
        size += (size_t)n;
        if (room - size < 2) {
            char *more = realloc(data, room *= 2);
            if (more == NULL)
                free(data);
            data = more;
        }
    }
    if (fd != -1)
        close(fd);
    if (data == NULL || n != 0) {
        free(data);
        return NULL;
    }
    data[size] = '\0';
    *len = size;
    return data;
}

/*
 * The strings of @path, each ended by NUL, as a list that ends with
 * NULL; NULL when there are none.
 */
static char **
read_strings(const char *path)
{
    size_t len, count = 0;
    char *data = read_whole(path, &len);

    if (data == NULL || len == 0) {
        free(data);
        return NULL;
    }
    for (size_t i = 0; i < len; i += strlen(data + i) + 1)
        count++;
    char **list = malloc((count + 1) * sizeof(*list));
    if (list == NULL)
        return NULL;
    count = 0;
    for (size_t i = 0; i < len; i += strlen(data + i) + 1)
        list[count++] = data + i;
    list[count] = NULL;
    return list;
}

static void
set_environment(void)
{
    char **words = read_strings("/dev/hostenv");

    for (; words != NULL && *words != NULL; words++)
        putenv(*words);
    setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin:/tests", 0);
    setenv("HOME", "/root", 0);
    setenv("TERM", "linux", 0);
}

/* Descriptors 0, 1 and 2 are open whatever the kernel gave us. */
static void
open_streams(void)
{
    int fd;

    do {
        fd = open("/dev/console", O_RDWR | O_NOCTTY);
        if (fd == -1)
            fd = open("/dev/null", O_RDWR);
    } while (fd != -1 && fd < 2);
    if (fd > 2)
        close(fd);
}

/* ---- children ---- */

/* fork(), and in the child the signals as a program expects them. */
static pid_t
fork_clean(void)
{
    pid_t pid = fork();
    sigset_t none;

    if (pid == 0) {
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
    }
    return pid;
}

/* Waits for one child, whatever else ends meanwhile. Returns its status. */
static int
reap(pid_t pid)
{
    int status = 0;
    pid_t got;

    do
        got = waitpid(-1, &status, 0);
    while (got != pid && (got != -1 || errno == EINTR));
    return status;
}

/*
 * Sleeps until @pid ends, or a signal asks for the end of the machine.
 * Returns that signal, or 0 with the child's status in *status.
 */
static int
supervise(pid_t pid, int *status)
{
    for (;;) {
        pid_t got;
        int s;

        while ((got = waitpid(-1, &s, WNOHANG)) > 0) {
            if (got == pid) {
                *status = s;
                return 0;
            }
        }
        int sig = sigwaitinfo(&watched, NULL);
        if (sig == SIGUSR1 || sig == SIGUSR2 || sig == SIGTERM)
            return sig;
    }
}

/* Reaps what has ended. Returns 1 while there are children left. */
static int
reap_ended(void)
{
    pid_t got;

    while ((got = waitpid(-1, NULL, WNOHANG)) > 0)
        ;
    return got == 0;
}

/* Ends every process but this one: politely, then not. */
static void
end_everybody(void)
{
    const struct timespec moment = {0, 10 * 1000 * 1000};

    if (reap_ended()) {
        kill(-1, SIGTERM);
        kill(-1, SIGCONT);
        for (int ms = 0; ms < TERM_PATIENCE_MS && reap_ended(); ms += 10)
            nanosleep(&moment, NULL);
    }
    if (reap_ended())
        kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) != -1 || errno == EINTR)
        ;
}

static void
switch_off(int how)
{
    sync();
    reboot(how);
    tell("the machine does not go off: ", strerror(errno));
    for (;;)
        pause();
}

/* ---- one program for the host ---- */

/* Opens @path as descriptor @fd, or leaves @fd as it is and says so. */
static void
connect_stream(const char *path, int flags, int fd)
{
    int f = open(path, flags | O_NOCTTY);

    if (f == -1) {
        tell("cannot open ", path);
        return;
    }
    if (f != fd) {
        dup2(f, fd);
        close(f);
    }
}

/* True if there is such a program, so that what execvp() did not find is what it needs. */
static int
is_there(const char *name)
{
    const char *path = strchr(name, '/') != NULL ? NULL : getenv("PATH");
    char file[4096];

    while (path != NULL && *path != '\0') {
        int n = (int)strcspn(path, ":");

        snprintf(file, sizeof(file), "%.*s/%s", n, path, name);
        if (access(file, X_OK) == 0)
            return 1;
        path += path[n] == ':' ? n + 1 : n;
    }
    return strchr(name, '/') != NULL && access(name, X_OK) == 0;
}

/* In the child: becomes the program, or says why not as a shell does. */
static void
become(char **argv)
{
    setsid();
    connect_stream("/dev/hostin", O_RDONLY, 0);
    connect_stream("/dev/hostout", O_WRONLY, 1);
    connect_stream("/dev/hosterr", O_WRONLY, 2);
    if (chdir(getenv("HOME")) == -1)
        (void)!chdir("/");
    execvp(argv[0], argv);

    int e = errno;
    dprintf(2, "%s: %s\n", argv[0],
            e != ENOENT ? strerror(e)
            : is_there(argv[0])
                ? "its loader or interpreter is not found: link it with -static, "
                  "or --add what it needs"
                : "not found");
    _exit(e == ENOENT ? NOT_FOUND : NOT_RUNNABLE);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    if (where->level > 0)
        (void)remove(path);
    return 0;
}

static void
remove_segments(void)
{
    struct shmid_ds ds;
    struct shm_info all;
    int id, highest = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&all);

    for (int place = 0; place <= highest; place++)
        if ((id = shmctl(place, SHM_STAT, &ds)) != -1)
            (void)shmctl(id, IPC_RMID, NULL);
}

/* Files and segments that the program left in memory are no leak: a child takes them away. */
static void
empty_memory_files(void)
{
    pid_t pid = fork_clean();

    if (pid == 0) {
        remove_segments();
        nftw("/tmp", remove_one, 16, FTW_DEPTH | FTW_PHYS);
        nftw("/dev/shm", remove_one, 16, FTW_DEPTH | FTW_PHYS);
        _exit(0);
    }
    if (pid > 0)
        reap(pid);
}

/* True if the file @path says @wanted; else its lines go to the log, unless @quiet. */
static int
says(const char *path, const char *wanted, int quiet)
{
    char text[1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd != -1)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (strcmp(text, wanted) == 0)
        return 1;
    if (quiet)
        return 0;
    tell(path, n < 0 ? ": cannot be read" : " says:");
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        tell("  ", line);
    return 0;
}

/* What happens behind the program. Returns 1 if the kernel found something wrong. */
static int
finish(int quiet)
{
    end_everybody();
    empty_memory_files();
    int sound = says("/proc/vitrine/check", "ok\n", quiet);
    int complete = says("/proc/vitrine/leaks", "none\n", quiet);
    return !sound || !complete;
}

/* Goes the whole way once, so that every page and name that we need is there. */
static void
rehearse(void)
{
    int status;

    put("/proc/vitrine/baseline", "1");
    pid_t pid = fork_clean();
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        supervise(pid, &status);
    finish(1);
}

static void
run_for_host(char **argv)
{
    char word[32];
    int status = 0;

    rehearse();
    put("/proc/vitrine/baseline", "1");
    pid_t pid = fork_clean();
    if (pid == 0)
        become(argv);
    if (pid == -1) {
        tell("fork: ", strerror(errno));
        status = NOT_RUNNABLE << 8;
    } else if (supervise(pid, &status) != 0) {
        status = SIGTERM; /* the machine was asked to go off under the program */
    }
    int failed = finish(0);
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    sync();
    snprintf(word, sizeof(word), "%d %d\n", code, failed);
    if (put("/dev/hostexit", word) == -1)
        tell("the host does not take the status: ", strerror(errno));
    switch_off(RB_POWER_OFF);
}

/* ---- a shell for a person ---- */

static void
greet(void)
{
    size_t len;
    char *text = read_whole("/etc/motd", &len);

    if (text != NULL)
        (void)!write(1, text, len);
    free(text);
}

static void
become_shell(void)
{
    setsid();
    close(0);
    if (open("/dev/console", O_RDWR) == 0) {
        dup2(0, 1);
        dup2(0, 2);
        ioctl(0, TIOCSCTTY, 0);
    }
    if (chdir(getenv("HOME")) == -1)
        (void)!chdir("/");
    execl("/bin/sh", "sh", "-l", (char *)NULL);
    dprintf(2, "/bin/sh: %s\n", strerror(errno));
    _exit(NOT_FOUND);
}

static void
run_shell(void)
{
    int status = 0, how = RB_POWER_OFF;

    greet();
    pid_t pid = fork_clean();
    if (pid == 0)
        become_shell();
    if (pid == -1)
        tell("fork: ", strerror(errno));
    int sig = pid == -1 ? 0 : supervise(pid, &status);
    if (sig == SIGTERM)
        how = RB_AUTOBOOT;
    else if (sig == SIGUSR1)
        how = RB_HALT_SYSTEM;
    end_everybody();
    switch_off(how);
}

/* A signal that is ignored need not become pending; one with a handler does. */
static void
never_called(int sig)
{
    (void)sig;
}

static void
watch_signals(void)
{
    static const int signals[] = {SIGCHLD, SIGUSR1, SIGUSR2, SIGTERM};
    struct sigaction sa = {.sa_handler = never_called};

    sigemptyset(&watched);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaddset(&watched, signals[i]);
        sigaction(signals[i], &sa, NULL);
    }
    sigprocmask(SIG_BLOCK, &watched, NULL);
}

/* Every disk but the first that mkswap prepared; the kernel says in its log why it refuses one. */
static void
use_swap(void)
{
    char path[] = "/dev/vdb";

    for (; access(path, F_OK) == 0; path[7]++)
        swapon(path, 0);
}

int
main(void)
{
    if (getpid() != 1) {
        dprintf(2, "init: only the kernel starts this program\n");
        return 1;
    }
    open_streams();
    watch_signals();
    set_environment();
    use_swap();
    char **argv = read_strings("/dev/hostargv");
    if (argv != NULL)
        run_for_host(argv);
    run_shell();
    return 0;
}
