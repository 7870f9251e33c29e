/*
 * cow_many_sharers.c - eight children share a page with their parent and write it in
 * every order; the last sharer writes in place.
 *
 * The parent writes first, then every second child, then the others; nobody sees
 * anybody else's store.
 */
#include "test.h"

#define N 8

int
main(void)
{
    char *map = pages(2);
    struct gate go[N], done;
    pid_t pid[N];

    memset(map, 's', 2 * PAGE);
    gate_make(&done);
    for (int i = 0; i < N; i++) {
        gate_make(&go[i]);
        pid[i] = (pid_t)MUST(fork());
        if (pid[i] != 0)
            continue;
        gate_wait(&go[i]);
        int fine = all_bytes(map, 2 * PAGE, 's');
        memset(map, 'a' + i, PAGE);
        gate_open(&done);
        gate_wait(&go[i]);
        fine = fine && all_bytes(map, PAGE, 'a' + i) && all_bytes(map + PAGE, PAGE, 's');
        _exit(fine ? i : 100 + i);
    }
    memset(map, 'P', PAGE);
    for (int i = 0; i < N; i++) {
        gate_open(&go[i * 3 % N]);
        gate_wait(&done);
    }
    for (int i = 0; i < N; i++) {
        gate_open(&go[i]);
        show_status("child", reap(pid[i]));
    }
    CHECK("the parent has its own", all_bytes(map, PAGE, 'P'));
    CHECK("and the page nobody wrote", all_bytes(map + PAGE, PAGE, 's'));
    map[PAGE] = 'l';
    CHECK("the last one writes in place", map[PAGE] == 'l' && map[PAGE + 1] == 's');
    return finish();
}
