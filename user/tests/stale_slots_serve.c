/*
 * stale_slots_serve.c - a page that came back from swap and was changed can leave again, though
 * every slot is taken.
 *
 * Fills MIB mebibytes (the first argument, 4 without), then goes over all of them three times and
 * changes each page.  On a machine where memory and swap together hold a little more than that,
 * the only place for a changed page is the slot that it had before.
 */
#include "test.h"

int
main(int argc, char **argv)
{
    size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 4) << 20;
    long *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t step = PAGE / sizeof(*m), words = size / sizeof(*m);
    long wrong = 0;

    MUST(m == MAP_FAILED ? -1 : 0);
    for (long turn = 0; turn < 4; turn++)
        for (size_t i = 0; i < words; i += step) {
            wrong += m[i] != (turn == 0 ? 0 : (long)i + turn - 1);
            m[i] = (long)i + turn;
        }
    say("wrong: %ld\n", wrong);
    return finish();
}
