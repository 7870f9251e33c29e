/*
 * poll_and_select.c - what is ready, what is not, what has ended; timeouts and waking.
 */
#include "test.h"

#include <sys/select.h>
#include <time.h>

static void
ask(const char *what, int fd, short events)
{
    struct pollfd p = {fd, events, 0};

    int r = poll(&p, 1, 0);
    say("%s: %d, events %x\n", what, r, (unsigned)p.revents);
}

static int
ask_select(int nfds, fd_set *in, fd_set *out, long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    return pselect(nfds, in, out, NULL, ms < 0 ? NULL : &t, NULL);
}

int
main(void)
{
    static char block[PAGE];
    int p[2], q[2];
    fd_set in, out;

    MUST(pipe(p));
    MUST(pipe2(q, O_NONBLOCK));
    make_file("f", "f", 1);
    ask("an empty pipe to read", p[0], POLLIN);
    ask("an empty pipe to write", p[1], POLLOUT);
    MUST(write(p[1], "x", 1));
    ask("with a byte", p[0], POLLIN);
    ask("the wrong way", p[0], POLLOUT);
    while (write(q[1], block, PAGE) > 0)
        ;
    ask("a full pipe to write", q[1], POLLOUT);
    close(q[0]);
    ask("without a reader", q[1], POLLOUT);
    close(p[1]);
    ask("without a writer, a byte left", p[0], POLLIN);
    MUST(read(p[0], block, 1));
    ask("without a writer", p[0], POLLIN);
    ask("a file", (int)MUST(open("f", O_RDWR)), POLLIN | POLLOUT);
    ask("a closed descriptor", 77, POLLIN);
    ask("a negative one", -1, POLLIN);
    show("poll of nothing", poll(NULL, 0, 10));
    MUST(mkfifo("fifo", 0600));
    int reader = (int)MUST(open("fifo", O_RDONLY | O_NONBLOCK));
    ask("a FIFO that had no writer", reader, POLLIN);
    close((int)MUST(open("fifo", O_WRONLY)));
    ask("a FIFO that had one", reader, POLLIN);

    MUST(pipe(p));
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    show("select", ask_select(20, &in, &out, 0));
    say("in %d, out %d\n", FD_ISSET(p[0], &in) != 0, FD_ISSET(p[1], &out) != 0);
    FD_ZERO(&in);
    FD_SET(p[0], &in);
    show("select in time", ask_select(20, &in, NULL, 20));
    say("in %d\n", FD_ISSET(p[0], &in) != 0);
    FD_ZERO(&in);
    FD_SET(60, &in); /* below 64: Linux does not look beyond its table of descriptors */
    show("select a closed one", ask_select(61, &in, NULL, 0));
    show("a negative count", ask_select(-1, NULL, NULL, 0));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        poll(NULL, 0, 30);
        MUST(write(p[1], "late", 4));
        _exit(0);
    }
    struct pollfd w = {p[0], POLLIN, 0};
    show("poll is woken", poll(&w, 1, -1));
    FD_ZERO(&in);
    FD_SET(p[0], &in);
    show("select sees it too", ask_select(20, &in, NULL, -1));
    reap(pid);
    return finish();
}
