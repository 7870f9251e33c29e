/*
 * pipe_writes_are_atomic.c - writes of up to PIPE_BUF bytes are never mixed, longer ones
 * lose nothing.
 *
 * Four writers fill a pipe with records of their letter; the reader takes odd pieces.
 */
#include "test.h"

#define RECORD 3000
#define COUNT  40

static void
run(const char *what, size_t record)
{
    static char block[20000], got[7777];
    long letters[4] = {0}, mixed = 0, at = 0;
    pid_t pid[4];
    int p[2], last = 0;
    ssize_t n;

    MUST(pipe(p));
    for (int i = 0; i < 4; i++) {
        pid[i] = (pid_t)MUST(fork());
        if (pid[i] != 0)
            continue;
        memset(block, i, record);
        for (int k = 0; k < COUNT; k++)
            if (write(p[1], block, record) != (ssize_t)record)
                _exit(1);
        _exit(0);
    }
    close(p[1]);
    while ((n = MUST(read(p[0], got, sizeof(got)))) > 0)
        for (ssize_t i = 0; i < n; i++, at++) {
            letters[(int)got[i]]++;
            mixed += at % (long)record != 0 && got[i] != last;
            last = got[i];
        }
    for (int i = 0; i < 4; i++)
        show_status("writer", reap(pid[i]));
    say("%s: %ld %ld %ld %ld\n", what, letters[0], letters[1], letters[2], letters[3]);
    if (record <= 4096)
        show("mixed", mixed);
    close(p[0]);
}

int
main(void)
{
    run("small records", RECORD);
    run("PIPE_BUF", 4096);
    run("large records", 20000);
    return finish();
}
