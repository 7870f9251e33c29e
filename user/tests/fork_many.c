/*
 * fork_many.c - sixty children at once, each ends with its own number; then two hundred
 * one after the other.
 *
 * Every one must be waited for exactly once.
 */
#include "test.h"

int
main(void)
{
    int sum = 0, status, count = 0;
    struct gate go;

    gate_make(&go);
    for (int i = 0; i < 60; i++) {
        pid_t pid = (pid_t)MUST(fork());
        if (pid == 0) {
            gate_wait(&go);
            _exit(i);
        }
    }
    for (int i = 0; i < 60; i++)
        gate_open(&go);
    while (wait(&status) > 0) {
        count++;
        sum += WEXITSTATUS(status);
    }
    say("%d children, sum %d\n", count, sum);
    show("then", wait(&status));
    count = 0;
    for (int i = 0; i < 200; i++) {
        pid_t pid = (pid_t)MUST(fork());
        if (pid == 0)
            _exit(i % 256);
        count += WEXITSTATUS(reap(pid)) == i % 256;
    }
    say("%d of 200 ended with their number\n", count);
    return finish();
}
