/*
 * sysv_shm_attach.c - where and how a System V segment is attached: SHM_RDONLY, SHM_RND,
 * SHM_REMAP, SHM_EXEC, and what /proc/self/maps says of it.
 */
#include "test.h"

#include <setjmp.h>
#include <sys/shm.h>

#define SIZE (4 * PAGE)

static sigjmp_buf again;

static void
on_fault(int sig, siginfo_t *info, void *context)
{
    (void)context;
    say("%s, code %d\n", signal_name(sig), info->si_code);
    siglongjmp(again, 1);
}

static void
store(char *p)
{
    if (sigsetjmp(again, 1) == 0) {
        *p = 'x';
        say("stored\n");
    }
}

static void
read_only(int id)
{
    char *m = shmat(id, NULL, SHM_RDONLY);

    CHECK("readable", *m == 0);
    store(m);
    show("mprotect cannot help", mprotect(m, PAGE, PROT_READ | PROT_WRITE));
    show("PROT_NONE it can", mprotect(m, PAGE, PROT_NONE));
    show("detach", shmdt(m));
    store(m);
}

/* An address is an order; SHM_RND rounds it, SHM_REMAP replaces what is there. */
static void
addresses(int id)
{
    char *room = pages(16);

    memset(room, 1, 16 * PAGE);
    show_ok("onto a mapping", (long)shmat(id, room + 4 * PAGE, 0));
    show_ok("onto its end", (long)shmat(id, room - PAGE, 0));
    show_ok("not aligned", (long)shmat(id, room + 4 * PAGE + 1, 0));
    show_ok("not aligned, remap", (long)shmat(id, room + 4 * PAGE + 1, SHM_REMAP));
    show_ok("nowhere, remap", (long)shmat(id, NULL, SHM_REMAP));
    show_ok("rounded to nowhere, remap", (long)shmat(id, (void *)100, SHM_RND | SHM_REMAP));
    CHECK("nothing has changed", all_bytes(room, 16 * PAGE, 1));
    CHECK("remap", shmat(id, room + 4 * PAGE, SHM_REMAP) == room + 4 * PAGE);
    CHECK("just there", room[4 * PAGE - 1] == 1 && room[4 * PAGE] == 0 && room[8 * PAGE] == 1);
    show("detach", shmdt(room + 4 * PAGE));
    CHECK("rounded", shmat(id, room + 4 * PAGE + 77, SHM_RND) == room + 4 * PAGE);
    show("not by the rounded address", shmdt(room + 4 * PAGE + 77));
    show("nor by its second page", shmdt(room + 5 * PAGE));
    show("nor by other memory", shmdt(room));
    show("detach", shmdt(room + 4 * PAGE));
    show("beyond the end of memory",
         shmat(id, (void *)0x7ffffffff000, 0) == (void *)-1 ? 0 : 1);
    MUST(munmap(room, 16 * PAGE));
}

static void
code(int id)
{
    static const unsigned char return_42[] = {0xb8, 42, 0, 0, 0, 0xc3};
    char *m = shmat(id, NULL, SHM_EXEC);

    memcpy(m, return_42, sizeof(return_42));
    say("run there: %d\n", ((int (*)(void))m)());
    MUST(shmdt(m));
}

/* The line of the mapping at @m, from its rights on, without inode and device. */
static void
say_maps_line(const char *m, unsigned key)
{
    char line[512], wanted[64], name[64];
    FILE *f = fopen("/proc/self/maps", "r");

    snprintf(wanted, sizeof(wanted), "%08lx-", (unsigned long)m);
    snprintf(name, sizeof(name), "/SYSV%08x (deleted)\n", key);
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, wanted, strlen(wanted)) == 0) {
            say("%.4s\n", strchr(line, ' ') + 1);
            CHECK("named by its key", strcmp(strchr(line, '/'), name) == 0);
        }
    if (f != NULL)
        fclose(f);
}

int
main(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    key_t key = 0x57000000 + getpid();
    int id = (int)MUST(shmget(key, SIZE - 5, IPC_CREAT | 0600));

    MUST(sigaction(SIGSEGV, &sa, NULL));
    MUST(sigaction(SIGBUS, &sa, NULL));
    read_only(id);
    addresses(id);
    code(id);

    char *m = shmat(id, NULL, 0);
    store(m + SIZE - 1); /* the rest of the last page belongs to it */
    say_maps_line(m, (unsigned)key);
    show("remove", shmctl(id, IPC_RMID, NULL));
    say_maps_line(m, (unsigned)key);
    MUST(shmdt(m));
    return finish();
}
