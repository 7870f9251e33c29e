/*
 * sysv_shm_life.c - a System V segment from shmget to its end: who is attached is counted, and
 * a removed segment lives until the last one lets go.
 */
#include "test.h"

#include <sys/shm.h>

#define SIZE (8 * PAGE)

static struct shmid_ds
stat_of(int id)
{
    struct shmid_ds ds = {0};

    MUST(shmctl(id, IPC_STAT, &ds));
    return ds;
}

static void
say_attached(const char *when, int id)
{
    say("attached %s: %lu\n", when, (unsigned long)stat_of(id).shm_nattch);
}

static void
store_in_child(void *m)
{
    strcpy(m, "from the child");
}

static void
attach_twice(int id)
{
    char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, 0);

    say_attached("after two shmat", id);
    CHECK("two places", a != b && a != (void *)-1 && b != (void *)-1);
    CHECK("new memory is zero", all_bytes(a, SIZE, 0));
    strcpy(a + PAGE, "one memory");
    CHECK("one memory", strcmp(b + PAGE, "one memory") == 0);
    show_status("a child", in_child(store_in_child, a));
    CHECK("a child's store is seen at both", strcmp(b, "from the child") == 0);
    show("detach one", shmdt(b));
    show("detach it again", shmdt(b));
    say_attached("after one shmdt", id);
    show("detach the other", shmdt(a));
    say_attached("after both", id);
    a = shmat(id, NULL, 0);
    CHECK("what was written waits", strcmp(a + PAGE, "one memory") == 0);
    show("detach", shmdt(a));
}

/* mprotect and munmap cut an attach into pieces; shmdt takes what is left of it. */
static void
pieces(int id)
{
    char *m = shmat(id, NULL, 0);

    MUST(mprotect(m + 2 * PAGE, PAGE, PROT_READ));
    say_attached("in three pieces", id);
    MUST(munmap(m + 5 * PAGE, PAGE));
    say_attached("with a hole", id);
    char *other = mmap(m, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK("another mapping over its first page", other == m);
    show("detach", shmdt(m));
    say_attached("after shmdt", id);
    CHECK("the other mapping stays", *launder(m) == 0);
    MUST(munmap(m, PAGE));
}

static void
hold_and_wait(struct gate gates[2])
{
    gate_open(&gates[0]);
    gate_wait(&gates[1]);
    _exit(0);
}

/* fork inherits attaches; the end of a process and exec let go of them. */
static void
forks(int id, const char *self)
{
    struct gate gates[2];
    char *m = shmat(id, NULL, 0);

    gate_make(&gates[0]);
    gate_make(&gates[1]);
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        hold_and_wait(gates);
    gate_wait(&gates[0]);
    say_attached("while a child has it too", id);
    gate_open(&gates[1]);
    show_status("the child", reap(pid));
    say_attached("when it has gone", id);

    char number[16];
    snprintf(number, sizeof(number), "%d", id);
    pid = (pid_t)MUST(fork());
    if (pid == 0) {
        execl(self, self, number, NULL);
        _exit(99);
    }
    show_status("after exec", reap(pid));
    MUST(shmdt(m));
}

static void
removal(int id, key_t key)
{
    char *m = shmat(id, NULL, 0);

    strcpy(m, "still here");
    show("remove", shmctl(id, IPC_RMID, NULL));
    show("again", shmctl(id, IPC_RMID, NULL));
    show("its key", shmget(key, 0, 0));
    struct shmid_ds ds = stat_of(id);
    CHECK("marked as removed, without a key",
          (ds.shm_perm.mode & 01000) && ds.shm_perm.__key == 0);
    char *b = shmat(id, NULL, 0);
    CHECK("it can still be attached", b != (void *)-1 && strcmp(b, "still here") == 0);
    say_attached("by two", id);
    show("first goes", shmdt(m));
    CHECK("the second has it", strcmp(b, "still here") == 0);
    show("second goes", shmdt(b));
    show("gone", shmctl(id, IPC_STAT, &ds));
    show_ok("gone indeed", (long)shmat(id, NULL, 0));
}

int
main(int argc, char **argv)
{
    if (argc > 1) { /* after exec */
        say_attached("after exec, by the parent only", atoi(argv[1]));
        return 0;
    }

    key_t key = 0x56000000 + getpid();
    int id = (int)MUST(shmget(key, SIZE - 100, IPC_CREAT | IPC_EXCL | 0640));
    struct shmid_ds ds = stat_of(id);

    CHECK("size, mode, maker", ds.shm_segsz == SIZE - 100 && ds.shm_perm.mode == 0640 &&
                                   ds.shm_cpid == getpid() && ds.shm_perm.uid == getuid());
    CHECK("not attached yet", ds.shm_nattch == 0 && ds.shm_lpid == 0 && ds.shm_atime == 0 &&
                                  ds.shm_dtime == 0 && ds.shm_ctime != 0);
    CHECK("the key finds it", shmget(key, 10, 0) == id && shmget(key, 0, IPC_CREAT) == id);
    attach_twice(id);
    ds = stat_of(id);
    CHECK("attached and detached lately",
          ds.shm_lpid == getpid() && ds.shm_atime >= ds.shm_ctime && ds.shm_dtime != 0);
    pieces(id);
    forks(id, argv[0]);
    removal(id, key);
    return finish();
}
