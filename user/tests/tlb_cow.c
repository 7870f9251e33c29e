/*
 * tlb_cow.c - when a store ends the sharing of a page, every thread sees the page that was stored
 * to: of a page that a child shares, of zeros, of a file.
 */
/* also: tmpfs */
#include "tlb.h"

/* Both threads have read @n pages and found @before; one stores, and both must see it. */
static void
break_sharing(const char *what, char *p, size_t n, int before)
{
    size_t right = 0;

    say("%s\n", what);
    CHECK("both read it", both_find(p, n, before) == n);
    for (size_t k = 0; k < n; k++) {
        char *mine = p + k * PAGE, *others = mine + 1;

        right += store(mine, 's') == 's' && other_looks(mine) == 's';
        right += other_stores(others, 't') == 't' && look(others) == 't' && look(mine) == 's';
    }
    CHECK("what one stores, the other sees", right == 2 * n);
    for (size_t k = right = 0; k < n; k++)
        right += other_stores(p + k * PAGE, 'u') == 'u' && look(p + k * PAGE) == 'u';
    CHECK("and the other way round", right == n);
}

/* The same, but the other thread is the first to store. */
static void
other_breaks(const char *what, char *p, int before)
{
    say("%s\n", what);
    CHECK("both read it", both_find(p, 1, before) == 1);
    CHECK("the other stores, this one sees", other_stores(p, 's') == 's' && look(p) == 's');
}

int
main(void)
{
    struct gate end;
    char *p = pages(12);

    other_start();
    gate_make(&end);
    memset(p, 'a', 12 * PAGE);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        gate_wait(&end);
        _exit(!all_bytes(p, 12 * PAGE, 'a'));
    }
    break_sharing("pages that a child shares", p, 10, 'a');
    other_breaks("one more", p + 10 * PAGE, 'a');
    gate_open(&end);
    show_status("the child that kept its own", reap(child));

    p = pages(12);
    break_sharing("pages of zeros", p, 10, 0);
    other_breaks("one more", p + 10 * PAGE, 0);

    static char text[12 * PAGE];
    memset(text, 'f', sizeof(text));
    make_file("f", text, sizeof(text));
    int fd = (int)MUST(open("f", O_RDWR));
    p = mmap(NULL, sizeof(text), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    MUST(p == MAP_FAILED ? -1 : 0);
    break_sharing("pages of a file", p, 10, 'f');
    other_breaks("one more", p + 10 * PAGE, 'f');
    CHECK("the file is as it was",
          read(fd, text, sizeof(text)) == sizeof(text) && all_bytes(text, sizeof(text), 'f'));
    other_leave();
    return finish();
}
