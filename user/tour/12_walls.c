/*
 * Chapter 12: an overflow that reaches no neighbour, and addresses that cannot be known before.
 */
/* build: static-pie */
#include "tour.h"

static struct {
    char buffer[16], secret[16]; /* the secret lies right behind */
} mine = {"", "swordfish"};
static unsigned long *reached; /* shared: bytes that the overflow wrote */

/* In a process of its own: stores to every byte from the buffer on. */
static void
overflow(void)
{
    for (volatile char *at = mine.buffer;; at++) {
        *at = 'X';
        *reached += 1;
    }
}

/* The program that was started with a word only says where its parts are. */
static int
places(void)
{
    int here;

    say("    %#14lx   %14p   %14p   %14p\n", (unsigned long)places, malloc(1), (void *)pages(1),
        (void *)&here);
    return 0;
}

int
main(int argc, char **argv)
{
    int wait[2];
    char c;

    if (argc > 1)
        return places();
    reached = shared();
    must(pipe(wait) == 0, "pipe");
    begin(12);
    say("Two processes of this program have a secret at %p. One of them\n"
        "stores to the buffer right before it, and does not stop at its end:\n\n",
        (void *)mine.secret);
    pid_t neighbour = fork();
    if (neighbour == 0) {
        close(wait[1]);
        (void)!read(wait[0], &c, 1); /* until all is over */
        say("    the neighbour's secret is still \"%s\"\n", mine.secret);
        _exit(strcmp(mine.secret, "swordfish") != 0);
    }
    pid_t child = fork();
    if (child == 0)
        overflow();
    int sig = WTERMSIG(ended(child)), safe = sig == SIGSEGV;
    say("    it wrote %lu bytes, also over its own secret; then signal %d\n", *reached, sig);
    close(wait[1]);
    safe &= ended(neighbour) == 0;

    say("\nThe program started four times more; each time it prints %%p of its own parts:\n\n"
        "              code             heap            a page        the stack\n");
    for (int k = 0; k < 4; k++) {
        child = fork();
        if (child == 0)
            execl("/proc/self/exe", argv[0], "places", (char *)NULL);
        safe &= ended(child) == 0;
    }
    say("\nNo address of one process leads into another, so an overflow stays at home. To\n"
        "do harm there, one must know where things are; but each start puts them\n"
        "elsewhere: in four places, drawn at random, each by itself.\n");
    return safe ? 0 : 1;
}
