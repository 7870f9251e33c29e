/*
 * futex_shared.c - which words are the same for two processes: those in one shared object,
 * wherever each has it mapped; never those in private memory.
 */
#include "threads.h"

/* In a child: wait on the word until it is woken; 1 if it was. */
static pid_t
child_waits(int *word)
{
    pid_t pid = (pid_t)MUST(fork());

    if (pid == 0)
        _exit(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0);
    while (state_of(pid, pid) != 'S')
        sched_yield();
    return pid;
}

/* Wake it by our own mapping; a waiter that has not come yet is waited for. */
static void
meet(const char *what, int *theirs, int *ours)
{
    pid_t pid = child_waits(theirs);
    long n;

    while ((n = futex(ours, FUTEX_WAKE, 1, NULL, NULL, 0)) == 0)
        sched_yield();
    show(what, n);
    show_status("the child was woken", reap(pid));
}

static void
miss(const char *what, int *word)
{
    pid_t pid = child_waits(word);

    for (int i = 0; i < 20; i++)
        sched_yield();
    show(what, futex(word, FUTEX_WAKE, 9, NULL, NULL, 0));
    MUST(kill(pid, SIGKILL));
    show_status("the child", reap(pid));
}

static int *
map(int fd, int flags)
{
    void *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

/* Two views of a file; the word is on the second page. */
static void
file(const char *what, int fd)
{
    MUST(ftruncate(fd, 2 * PAGE));
    int *a = map(fd, MAP_SHARED) + 1024, *b = map(fd, MAP_SHARED) + 1024;
    say("%s\n", what);
    meet("by another mapping", a, b);
    meet("by a mapping of one page", a,
         (int *)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE));
    show("the word beside it", futex(b + 1, FUTEX_WAKE, 9, NULL, NULL, 0));
    int *copy = map(fd, MAP_PRIVATE) + 1024;
    copy[0] = 0;
    miss("a private copy is another word", copy);
}

int
main(void)
{
    static int in_data;
    int *anon = map(-1, MAP_SHARED | MAP_ANONYMOUS);

    meet("shared memory without a name", anon, anon);
    miss("private memory", &in_data);
    file("a file", (int)MUST(open("words", O_CREAT | O_RDWR, 0600)));
    file("a file in memory", (int)MUST(syscall(SYS_memfd_create, "words", 0)));

    pid_t pid = child_waits(anon);
    show_ok("its page is paged out", madvise(anon, PAGE, 21 /* MADV_PAGEOUT */));
    while (futex(anon, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
        sched_yield();
    show_status("and the child is found", reap(pid));
    return finish();
}
