/*
 * aslr_places.c - launches the victim COUNT times, and gathers where it lay.
 *
 * Checkpoint: 1 all launches, struct places for each, and how many.
 */
#include "labs/aslr/places.h"

#define LAUNCHES 200

int
main(int argc, char **argv)
{
    static struct places all[LAUNCHES];
    int count = (int)seed_of(argc, argv);

    MUST(count <= LAUNCHES ? 0 : -1);
    for (int i = 0; i < count; i++) {
        struct pipe told = pipe_high();
        pid_t pid = victim_start("where", (int[]){-1, -1, -1, told.to}, 0);

        close(told.to);
        if (read(told.from, &all[i], sizeof(all[i])) != sizeof(all[i]))
            must(-1, "a launch that tells where it is", __LINE__);
        close(told.from);
        reap(pid);
    }
    checkpoint(1, all, count, 0);
    return 0;
}
