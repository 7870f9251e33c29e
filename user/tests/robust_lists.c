/*
 * robust_lists.c - the list of locks that a thread leaves to the kernel, and what the kernel
 * does with it when the thread ends: by exit, by a signal, by exec.
 */
#include "threads.h"

#define OWNER_DIED 0x40000000
#define WAITERS    0x80000000u

struct node {
    struct node *next;
    unsigned word;
};

struct head {
    struct node *first;
    long offset;
    struct node *pending;
};

static struct shared {
    struct head head;
    struct node node[4];
    atomic_int ready;
} * shared;

static long
set(struct head *h, size_t size)
{
    return syscall(SYS_set_robust_list, h, size);
}

/* The four nodes in a ring, ours all but the third; the fourth is only about to be taken. */
static void
fill(void)
{
    unsigned me = (unsigned)my_tid();
    struct node *n = shared->node;

    n[0] = (struct node){&n[1], me};
    n[1] = (struct node){&n[2], me | WAITERS};
    n[2] = (struct node){(struct node *)&shared->head, me + 1};
    n[3] = (struct node){NULL, me};
    shared->head = (struct head){&n[0], offsetof(struct node, word), &n[3]};
    MUST(set(&shared->head, sizeof(shared->head)));
    shared->ready = 1;
}

static void
look(const char *how, unsigned owner)
{
    struct node *n = shared->node;

    say("%s\n", how);
    CHECK("a word of the owner's", n[0].word == OWNER_DIED);
    CHECK("one with waiters", n[1].word == (OWNER_DIED | WAITERS));
    CHECK("another owner's", n[2].word == owner + 1);
    CHECK("the pending one", n[3].word == OWNER_DIED);
}

static void *
fill_and_end(void *arg)
{
    *(pid_t *)arg = my_tid();
    fill();
    syscall(SYS_exit, 0); /* the library would set the list straight, so it is left out */
    return NULL;
}

static atomic_int waiter;

static void *
wait_for_owner(void *arg)
{
    await(&shared->ready, 0);
    unsigned seen = shared->node[1].word;
    waiter = my_tid();
    if (!(seen & OWNER_DIED))
        futex(&shared->node[1].word, FUTEX_WAIT, (int)seen, NULL, NULL, 0);
    return arg;
}

static void
by_exit(void)
{
    pid_t owner = 0;

    pthread_t w = start(wait_for_owner, NULL);
    start(fill_and_end, &owner);
    join(w); /* returns: the kernel wakes one waiter of a word that has the bit */
    wait_tasks(1);
    look("a thread ends", (unsigned)owner);
}

static void
in_process(const char *how, int kill_it, char *self)
{
    shared->ready = 0;
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        char *args[] = {self, "again", NULL};
        fill();
        if (!kill_it)
            execv(self, args);
        for (;;)
            pause();
    }
    await(&shared->ready, 0);
    if (kill_it)
        kill(pid, SIGKILL);
    show_status(how, reap(pid));
    look(how, (unsigned)pid);
}

/* Lists that lead nowhere must hurt nobody. */
static void
bad_lists(void)
{
    struct head bad = {(struct node *)16, 8, NULL};
    struct node ring = {&ring, 7};
    struct head for_ever = {&ring, 8, NULL};
    struct head *const heads[] = {(struct head *)16, (struct head *)0xffffffff80000000, &bad,
                                  &for_ever};

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        pid_t pid = (pid_t)MUST(fork());
        if (pid == 0) {
            set(heads[i], sizeof(struct head));
            _exit(3);
        }
        show_status("a bad list", reap(pid));
    }
}

static void
the_calls(void)
{
    struct head *got = NULL, mine = {NULL, 0, NULL};
    size_t size = 0;

    mine.first = (struct node *)&mine;
    show("a wrong size", set(&mine, 16));
    show("set", set(&mine, sizeof(mine)));
    show("get", syscall(SYS_get_robust_list, 0, &got, &size));
    CHECK("the list and its size", got == &mine && size == sizeof(mine));
    show("by number", syscall(SYS_get_robust_list, my_tid(), &got, &size));
    show("nobody's", syscall(SYS_get_robust_list, 1 << 21, &got, &size));
    show("to nowhere", syscall(SYS_get_robust_list, 0, 8, &size));
    show("none", set(NULL, sizeof(mine)));
}

int
main(int argc, char **argv)
{
    char self[256] = "";

    (void)argv;
    if (argc > 1)
        return 5;
    MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(shared == MAP_FAILED ? -1 : 0);
    the_calls();
    by_exit();
    in_process("a process is killed", 1, self);
    in_process("a process starts a program", 0, self);
    bad_lists();
    return finish();
}
