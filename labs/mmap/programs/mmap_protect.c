/*
 * mmap_protect.c - mprotect takes rights at once, gives them with care, and does all or
 * nothing.
 *
 * Checkpoints: 1 before; 2 some pages have fewer rights; 3 they have them back, while a child
 * shares the pages; 4 after stores; 5 after calls that have to be refused, with those that
 * were not.
 */
#include "labs/mmap/window.h"

/* Calls for a range with a hole, or with pages that may never be written to. */
static int
refusals(void)
{
    int wrong = 0;

    does(map(40, 4, RW, ANON, 0));
    does(map(44, 4, PROT_READ, FILE_SHARED, 0)); /* of a file that was opened to read */
    store(40, 4, 7);
    CHECK("every page has its bytes", good());
    wrong += protect(40, 8, RW) != EACCES;
    wrong += protect(42, 4, PROT_WRITE) != EACCES;
    wrong += protect(46, 4, PROT_NONE) != ENOMEM;
    wrong += protect(38, 4, PROT_READ) != ENOMEM;
    return wrong;
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv), at = seed % 4;
    struct gate go;

    gate_make(&go);
    window_begin(seed);
    does(map(0, 32, RW, ANON, 0));
    store(0, 28, byte_of(seed, 99));
    CHECK("every page has its bytes", good()); /* the last four are zeros that were read */
    show_window(1);
    does(protect(2 + at, 4, PROT_READ));
    does(protect(12 + at, 4, PROT_NONE));
    does(protect(26, 4, PROT_READ));
    CHECK("no store to what may only be read", refused(2 + at, PROT_WRITE));
    CHECK("no store to what nobody may use", refused(12 + at, PROT_WRITE));
    CHECK("no read from it", refused(13 + at, PROT_READ));
    show_window(2);

    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        gate_wait(&go);
        does(protect(0, 32, RW));
        CHECK("the child has its bytes", good());
        _exit(test_failures);
    }
    does(protect(2 + at, 4, RW));
    does(protect(12 + at, 4, PROT_READ));
    does(protect(12 + at, 4, RW));
    does(protect(26, 4, RW));
    CHECK("every page has its bytes again", good());
    show_window(3);
    store(0, 32, byte_of(seed, 98));
    show_window(4);
    gate_open(&go);
    show_status("the child", reap(child));
    int wrong = refusals();
    checkpoint(5, WINDOW, wrong, (long)model);
    return finish();
}
