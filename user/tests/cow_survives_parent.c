/*
 * cow_survives_parent.c - pages shared by fork outlive the process that made them.
 *
 * The middle process ends first; its child keeps reading the pages, writes them, and
 * unmaps some, after everybody it shared them with is gone.
 */
#include "test.h"

int
main(void)
{
    char *map = pages(64);
    struct gate middle_gone;
    int result[2];

    gate_make(&middle_gone);
    MUST(pipe(result));
    pid_t middle = (pid_t)MUST(fork());
    if (middle == 0) {
        memset(map, 'm', 64 * PAGE); /* these pages are the middle process's own */
        if (MUST(fork()) != 0)
            _exit(0);
        gate_wait(&middle_gone);
        int fine = all_bytes(map, 64 * PAGE, 'm');
        memset(map, 'g', 32 * PAGE);
        MUST(munmap(map + 16 * PAGE, 32 * PAGE));
        fine = fine && all_bytes(map, 16 * PAGE, 'g');
        fine = fine && all_bytes(map + 48 * PAGE, 16 * PAGE, 'm');
        MUST(write(result[1], fine ? "y" : "n", 1));
        _exit(0);
    }
    show_status("the middle process", reap(middle));
    gate_open(&middle_gone);
    char answer = '?';
    MUST(read(result[0], &answer, 1));
    CHECK("the grandchild kept its pages", answer == 'y');
    CHECK("the first process never had them", all_bytes(map, 64 * PAGE, 0));
    return finish();
}
