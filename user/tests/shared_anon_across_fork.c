/*
 * shared_anon_across_fork.c - MAP_SHARED anonymous memory is one memory for parent,
 * child and grandchild; MAP_PRIVATE beside it is not.
 *
 * Also a page that nobody touched before the fork, and one that only the child did.
 */
#include "test.h"

int
main(void)
{
    int *s = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *p = (int *)pages(1);

    MUST(s == MAP_FAILED ? -1 : 0);
    s[0] = p[0] = 1;
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        s[0] += 10;
        p[0] += 10;
        s[PAGE / 4] = 77; /* untouched before the fork */
        pid_t grand = (pid_t)MUST(fork());
        if (grand == 0) {
            s[2 * PAGE / 4] = 88;
            s[0] += 100;
            _exit(0);
        }
        reap(grand);
        _exit(s[0] == 111 && s[2 * PAGE / 4] == 88 ? 5 : 6);
    }
    show_status("the child", reap(pid));
    CHECK("both changes arrived", s[0] == 111);
    CHECK("so did the child's new page", s[PAGE / 4] == 77);
    CHECK("and the grandchild's", s[2 * PAGE / 4] == 88);
    CHECK("a page that nobody touched is zero", all_bytes(s + 3 * PAGE / 4, PAGE, 0));
    CHECK("private memory did not change", p[0] == 1);
    show("DONTNEED on shared memory", madvise(s, PAGE, MADV_DONTNEED));
    CHECK("does not lose it", s[0] == 111);
    return finish();
}
