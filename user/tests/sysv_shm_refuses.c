/*
 * sysv_shm_refuses.c - what shmget, shmat, shmdt and shmctl say no to: sizes, keys, numbers,
 * permissions, and too many segments.
 */
/* needs: root */
#include "test.h"

#include <sys/shm.h>

#define MANY 4200 /* more than the limit of 4096 */

static void
attach_and_say(const char *what, int id, int flags)
{
    void *m = shmat(id, NULL, flags);

    show_ok(what, (long)m);
    if (m != (void *)-1)
        MUST(shmdt(m));
}

static void
sizes_and_keys(key_t key)
{
    show("no such key", shmget(key, PAGE, 0600));
    show("no size", shmget(key, 0, IPC_CREAT | 0600));
    show("far too large", shmget(key, SIZE_MAX, IPC_CREAT | 0600));
    show("larger than memory", shmget(key, 1UL << 46, IPC_CREAT | 0600));

    int id = (int)MUST(shmget(key, 2 * PAGE, IPC_CREAT | 0600));
    show("exclusive", shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600));
    show("larger than it is", shmget(key, 2 * PAGE + 1, 0600));
    CHECK("smaller", shmget(key, 1, 0600) == id);
    CHECK("without flags", shmget(key, 0, 0) == id);
    show("remove", shmctl(id, IPC_RMID, NULL));
    show("it is gone", shmget(key, 0, 0));
    CHECK("a new one has another number", shmget(key, PAGE, IPC_CREAT | 0600) != id);
    MUST(shmctl(shmget(key, 0, 0), IPC_RMID, NULL));
}

static void
numbers(void)
{
    struct shmid_ds ds;
    int id = (int)MUST(shmget(IPC_PRIVATE, PAGE, 0600));

    attach_and_say("attach -1", -1, 0);
    attach_and_say("attach 0x7fffffff", 0x7fffffff, 0);
    show("stat -1", shmctl(-1, IPC_STAT, &ds));
    show("stat into nowhere", syscall(SYS_shmctl, id, IPC_STAT, 8));
    show("set from nowhere", syscall(SYS_shmctl, id, IPC_SET, 8));
    show("no such command", shmctl(id, 99, &ds));
    show("place that is not used", shmctl(32000, SHM_STAT, &ds));
    show("detach nothing", shmdt(NULL));
    show("detach not aligned", shmdt((void *)12345));
    MUST(shmctl(id, IPC_RMID, NULL));
}

/* As another user: what the mode says counts, and the owner's rights are the owner's. */
static void
as_stranger(void *arg)
{
    int id = *(int *)arg;
    struct shmid_ds ds = {0};

    MUST(setgid(1234));
    MUST(setuid(1234));
    attach_and_say("read", id, SHM_RDONLY);
    attach_and_say("write", id, 0);
    attach_and_say("execute", id, SHM_RDONLY | SHM_EXEC);
    show("stat", shmctl(id, IPC_STAT, &ds));
    show("set", shmctl(id, IPC_SET, &ds));
    show("lock", shmctl(id, SHM_LOCK, NULL));
    show("remove", shmctl(id, IPC_RMID, NULL));
}

static void
permissions(key_t key)
{
    static const int modes[] = {0, 04, 06, 07, 040, 0400};
    int id = (int)MUST(shmget(key, PAGE, IPC_CREAT | 0600));
    struct shmid_ds ds;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        MUST(shmctl(id, IPC_STAT, &ds));
        ds.shm_perm.mode = (unsigned)modes[i];
        ds.shm_perm.gid = modes[i] == 040 ? 1234 : 0;
        ds.shm_perm.uid = modes[i] == 0400 ? 1234 : 0;
        MUST(shmctl(id, IPC_SET, &ds));
        say("mode %03o\n", modes[i]);
        show_status("a stranger", in_child(as_stranger, &id));
    }
    show("the owner removed it", shmctl(id, IPC_STAT, &ds));
    id = (int)MUST(shmget(key, PAGE, IPC_CREAT | 0000));
    attach_and_say("root may all", id, 0);
    show("lock", shmctl(id, SHM_LOCK, NULL));
    MUST(shmctl(id, IPC_STAT, &ds));
    say("mode %o\n", (unsigned)ds.shm_perm.mode);
    show("unlock", shmctl(id, SHM_UNLOCK, NULL));
    ds.shm_perm.uid = (uid_t)-1;
    show("no such user", shmctl(id, IPC_SET, &ds));
    MUST(shmctl(id, IPC_RMID, NULL));
}

static void
too_many(void)
{
    static int ids[MANY];
    int n = 0;

    while (n < MANY && (ids[n] = shmget(IPC_PRIVATE, PAGE, 0600)) != -1)
        n++;
    show("one too many", n < MANY ? -1 : n);

    struct shm_info info;
    int highest = shmctl(0, SHM_INFO, (void *)&info);
    CHECK("the table is full", info.used_ids == 4096 && highest >= 4095);
    for (int i = 0; i < n; i++)
        MUST(shmctl(ids[i], IPC_RMID, NULL));
    show_ok("now there is room", ids[0] = shmget(IPC_PRIVATE, PAGE, 0600));
    MUST(shmctl(ids[0], IPC_RMID, NULL));
}

int
main(void)
{
    key_t key = 0x58000000 + getpid();

    sizes_and_keys(key);
    numbers();
    permissions(key);
    too_many();
    return finish();
}
