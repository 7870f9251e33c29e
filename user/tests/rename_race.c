/*
 * rename_race.c - renames of directories and between them, at the same moment.
 *
 * One process lets two directories replace each other, others move a file from one into the
 * other: nobody may wait for ever, and nothing may be lost.
 */
/* also: tmpfs */
#include "test.h"

#define ROUNDS 1500

static void
swap_directories(void)
{
    for (int n = 0; n < ROUNDS; n++) {
        (void)!rename("P/a", "P/b"); /* not while there is something in b */
        (void)!rename("P/b", "P/a");
        (void)!mkdir("P/a", 0755);
        (void)!mkdir("P/b", 0755);
    }
}

static void
move_file(const char *in_a, const char *in_b)
{
    for (int n = 0; n < ROUNDS; n++) {
        (void)!rename(in_a, in_b);
        (void)!rename(in_b, in_a);
    }
}

int
main(void)
{
    int status, failed = 0, found = 0;

    alarm(120);
    MUST(mkdir("P", 0755));
    MUST(mkdir("P/a", 0755));
    MUST(mkdir("P/b", 0755));
    make_file("P/a/x", "x", 1);
    make_file("P/b/y", "y", 1);
    for (int who = 0; who < 3; who++) {
        if (MUST(fork()) != 0)
            continue;
        alarm(120);
        if (who == 0)
            swap_directories();
        else if (who == 1)
            move_file("P/a/x", "P/b/x");
        else
            move_file("P/a/y", "P/b/y");
        _exit(0);
    }
    while (wait(&status) > 0)
        failed += status != 0;
    show("processes that did not end well", failed);
    found += access("P/a/x", F_OK) == 0 || access("P/b/x", F_OK) == 0;
    found += access("P/a/y", F_OK) == 0 || access("P/b/y", F_OK) == 0;
    show("files that are still there", found);
    return finish();
}
