/*
 * process_vm.c - process_vm_readv and process_vm_writev: another process's memory, as far as it
 * may be read or written there; its copy-on-write and its protections hold.
 */
/* needs: root */
#include "test.h"

#include <sys/uio.h>

#define ROOM (64 * PAGE)

static char *shared, *mine; /* at the same addresses in the child */

static ssize_t
get(pid_t pid, void *to, size_t n, const void *from, size_t m)
{
    struct iovec l = {to, n}, r = {(void *)from, m};

    return process_vm_readv(pid, &l, 1, &r, 1, 0);
}

static ssize_t
put(pid_t pid, void *from, size_t n, void *to, size_t m)
{
    struct iovec l = {from, n}, r = {to, m};

    return process_vm_writev(pid, &l, 1, &r, 1, 0);
}

/* The child: changes its copy, waits, and says what it finds then. */
static void
hold(struct gate g[2])
{
    strcpy(mine + 5 * PAGE - 3, "child's");
    gate_open(&g[0]);
    gate_wait(&g[1]);
    say("child: %s, %s\n", mine + 5 * PAGE - 3, mine + 20 * PAGE);
    CHECK("all that was written", all_bytes(mine + 30 * PAGE, 10 * PAGE, 'w'));
    CHECK("nothing beside it", mine[30 * PAGE - 1] == 'm' && mine[40 * PAGE] == 'm');
    _exit(test_failures);
}

static void
read_and_write(pid_t pid)
{
    char *buf = pages(16), word[8] = "";

    show("read across a page's end", get(pid, word, 8, mine + 5 * PAGE - 3, 8));
    say("%s, and here %.4s\n", word, mine + 5 * PAGE - 3);
    show("write", put(pid, "written", 8, mine + 20 * PAGE, 8));
    CHECK("not to our copy", mine[20 * PAGE] == 'm');
    memset(buf, 'w', 10 * PAGE);
    show("write ten pages", put(pid, buf, 10 * PAGE, mine + 30 * PAGE, 10 * PAGE));
    CHECK("our pages are as they were", all_bytes(mine + 30 * PAGE, 10 * PAGE, 'm'));
    show("write to a file", put(pid, "shared!", 8, shared + 100, 8));
    CHECK("a shared page is everybody's", strcmp(shared + 100, "shared!") == 0);

    struct iovec l[3] = {{buf, 10}, {NULL, 0}, {buf + 20, 30}};
    struct iovec r[3] = {{mine, 5}, {mine + PAGE, 7}, {mine + 2 * PAGE, 100}};
    show("pieces that do not match", process_vm_readv(pid, l, 3, r, 3, 0));
    munmap(buf, 16 * PAGE);
}

static void
refusals(pid_t pid)
{
    char buf[100];
    struct iovec v = {buf, 10}, w = {mine, 10};

    show("up to a hole", get(pid, buf, 100, mine + ROOM - 50, 100));
    show("a hole", get(pid, buf, 100, mine + ROOM, 100));
    show("NULL", get(pid, buf, 100, NULL, 100));
    show("the kernel", get(pid, buf, 8, (void *)0xffffffff80000000, 8));
    show("to a read-only page", put(pid, buf, 8, mine + 50 * PAGE, 8));
    show("from it", get(pid, buf, 8, mine + 50 * PAGE, 8));
    show("from a closed page", get(pid, buf, 8, mine + 51 * PAGE, 8));
    show("into our hole", get(pid, mine + ROOM, 8, mine, 8));
    show("nothing", get(pid, buf, 0, mine, 8));
    show("no such process", get(0x3fffffff, buf, 8, mine, 8));
    show("flags", process_vm_readv(pid, &v, 1, &w, 1, 1));
    show("too many pieces", process_vm_readv(pid, &v, 1025, &w, 1, 0));
    show("ourselves", get(getpid(), buf, 8, mine, 8));
}

static void
as_stranger(void *arg)
{
    char buf[8];

    MUST(setresgid(1000, 1000, 1000));
    MUST(setresuid(1000, 1000, 1000));
    show("another user's", get(*(pid_t *)arg, buf, 8, mine, 8));
    show("another user's, to write", put(*(pid_t *)arg, buf, 8, mine, 8));
}

int
main(void)
{
    struct gate g[2];
    int fd = (int)MUST(open("f", O_CREAT | O_RDWR, 0600));

    gate_make(&g[0]);
    gate_make(&g[1]);
    MUST(ftruncate(fd, PAGE));
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    mine = pages(ROOM / PAGE + 1);
    MUST(munmap(mine + ROOM, PAGE));
    memset(mine, 'm', ROOM);
    MUST(mprotect(mine + 50 * PAGE, PAGE, PROT_READ));
    MUST(mprotect(mine + 51 * PAGE, PAGE, PROT_NONE));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        hold(g);
    gate_wait(&g[0]);
    read_and_write(pid);
    refusals(pid);
    show_status("a stranger", in_child(as_stranger, &pid));
    gate_open(&g[1]);
    show_status("the child", reap(pid));
    show("a zombie's", get(pid, shared, 8, mine, 8));
    char word[8] = "";
    MUST(pread(fd, word, 8, 100));
    say("the file: %s\n", word);
    return finish();
}
