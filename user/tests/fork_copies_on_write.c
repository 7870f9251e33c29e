/*
 * fork_copies_on_write.c - after fork each side has its own memory, whoever writes first.
 *
 * Data, bss, heap, stack and mappings; the child writes every page while the parent
 * looks, then the parent writes while the child looks.
 */
#include "test.h"

#define N 256

static int data_word = 1;
static int bss_word;

int
main(void)
{
    char *map = pages(N);
    int *heap = malloc(sizeof(*heap));
    int stack_word = 1;
    struct gate child_wrote, parent_wrote;

    *heap = 1;
    memset(map, 'p', N * PAGE);
    gate_make(&child_wrote);
    gate_make(&parent_wrote);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        data_word = bss_word = stack_word = *heap = 2;
        memset(map, 'c', N / 2 * PAGE);
        gate_open(&child_wrote);
        gate_wait(&parent_wrote);
        int fine = data_word == 2 && bss_word == 2 && stack_word == 2 && *heap == 2;
        fine = fine && all_bytes(map, N / 2 * PAGE, 'c');
        fine = fine && all_bytes(map + N / 2 * PAGE, N / 2 * PAGE, 'p');
        _exit(fine ? 3 : 4);
    }
    gate_wait(&child_wrote);
    CHECK("the child's stores are not seen",
          data_word == 1 && bss_word == 0 && stack_word == 1 && *heap == 1);
    CHECK("nor in a mapping", all_bytes(map, N * PAGE, 'p'));
    memset(map, 'q', N * PAGE);
    data_word = 5;
    gate_open(&parent_wrote);
    show_status("the child saw none of the parent's", reap(pid));
    CHECK("the parent has its own", all_bytes(map, N * PAGE, 'q') && data_word == 5);
    return finish();
}
