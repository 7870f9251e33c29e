/*
 * locked_pages_stay.c - a locked page is not written to swap, and touching it is never slow.
 *
 * Locks a megabyte, then fills more memory than a small machine has (MIB, the first argument;
 * 4 without), and touches the locked pages again: there is no major fault.  With "sysv" as second
 * argument it is a System V segment that is locked.
 */
#include "test.h"

#include <sys/shm.h>

static long
major_faults(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_majflt;
}

static char *
locked_segment(void)
{
    int id = (int)MUST(shmget(IPC_PRIVATE, 1 << 20, 0600));
    char *m = shmat(id, NULL, 0);

    say("SHM_LOCK: %d\n", shmctl(id, SHM_LOCK, NULL));
    MUST(shmctl(id, IPC_RMID, NULL));
    return m;
}

int
main(int argc, char **argv)
{
    size_t mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 4;
    int sysv = argc > 2;
    char *stay =
        sysv ? locked_segment()
             : mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *other =
        mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long wrong = 0, before;

    for (size_t i = 0; i < 1 << 20; i += PAGE)
        stay[i] = (char)(i / PAGE * 7);
    if (!sysv)
        say("mlock: %d\n", mlock(stay, 1 << 20));
    for (int turn = 0; turn < 3; turn++)
        for (size_t i = 0; i < mib << 20; i += PAGE)
            other[i]++;

    mlock(&before, sizeof(before)); /* the stack too, or the test would see its own fault */
    (void)major_faults();
    before = major_faults();
    for (size_t i = 0; i < 1 << 20; i += PAGE)
        wrong += stay[i] != (char)(i / PAGE * 7);
    say("wrong bytes: %ld, waits for the disk: %ld\n", wrong, major_faults() - before);
    wrong = 0;
    for (size_t i = 0; i < mib << 20; i += PAGE)
        wrong += other[i] != 3;
    say("wrong bytes elsewhere: %ld\n", wrong);
    return 0;
}
