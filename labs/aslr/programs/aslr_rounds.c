/*
 * aslr_rounds.c - lets an attacker visit a victim, again and again, and counts nothing itself.
 *
 *     aslr_rounds ATTACKER FIXED DRAWN   so many victims at fixed places, then so many wherever
 *                                        the kernel puts them
 *     aslr_rounds opened                 the vault, which a victim becomes when it opens
 *
 * The attacker is a program of a student: nobody, in a process of its own, with two pipes to the
 * victim and nothing else.  Each launch of the victim has a key, which only it and the vault can
 * read; the grader adds a number to them that stands nowhere in the guest before.
 *
 * Checkpoints: 1 the grader answers with that number; then one each time that a victim has
 * opened, with its key, and one at the end, with all rounds.
 */
#include "labs/aslr/places.h"

#define ROUNDS 200
#define OPENED 42 /* the vault's status */
#define NOBODY 65534

enum what { BEGIN, OPEN, END };

struct round {
    uint64_t key;
    struct places places;
};

static struct round rounds[ROUNDS];

/* What the key's pipe holds. */
struct note {
    uint64_t key;
    long checkpoint;
};

static int
vault(void)
{
    struct note note;

    if (read(KEY_FD, &note, sizeof(note)) != sizeof(note))
        return 1;
    checkpoint(note.checkpoint, (void *)OPEN, (long)note.key, 0);
    return OPENED;
}

static pid_t
attacker_start(const char *name, int in, int out)
{
    char path[64];
    pid_t pid = (pid_t)MUST(fork());

    if (pid != 0)
        return pid;
    MUST(dup2(in, 0));
    MUST(dup2(out, 1));
    MUST(setgid(NOBODY));
    MUST(setuid(NOBODY));
    snprintf(path, sizeof(path), "/lab/%s", name);
    execl(path, name, NULL);
    _exit(127);
}

/*
 * One visit; true if the victim has opened.  There is no clock in it: whoever waits for the other
 * for ever is told so by the grader.
 */
static int
play(struct round *r, const char *attacker, long checkpoint, int fixed)
{
    struct pipe in = pipe_high(), out = pipe_high(), key = pipe_high(), told = pipe_high();
    struct note note = {r->key, checkpoint};

    MUST(write(key.to, &note, sizeof(note)));
    pid_t victim = victim_start("serve", (int[]){in.from, out.to, key.from, told.to}, fixed);

    close(told.to);
    if (read(told.from, &r->places, sizeof(r->places)) != sizeof(r->places))
        must(-1, "a victim that tells where it is", __LINE__);
    pid_t visitor = attacker_start(attacker, out.from, in.to);

    close(in.to), close(in.from), close(out.to), close(out.from);
    int status = reap(victim);

    kill(visitor, SIGKILL);
    reap(visitor);
    close(told.from), close(key.to), close(key.from);
    return WIFEXITED(status) && WEXITSTATUS(status) == OPENED;
}

int
main(int argc, char **argv)
{
    if (argc == 2)
        return vault();
    MUST(argc == 4 ? 0 : -1);
    int fixed = atoi(argv[2]), count = fixed + atoi(argv[3]);

    MUST(count <= ROUNDS ? 0 : -1);
    uint64_t secret = (uint64_t)checkpoint(1, (void *)BEGIN, 0, 0), opened = 0;

    for (int i = 0; i < count; i++) {
        MUST(syscall(SYS_getrandom, &rounds[i].key, sizeof(rounds[i].key), 0));
        rounds[i].key += secret;
        opened += (uint64_t)play(&rounds[i], argv[1], (long)opened + 2, i < fixed);
    }
    say("%d victims, %d opened\n", count, (int)opened);
    checkpoint((long)opened + 2, (void *)END, (long)rounds, count);
    return 0;
}
