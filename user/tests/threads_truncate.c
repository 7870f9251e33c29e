/*
 * threads_truncate.c - one thread stores into the holes of a mapped file while another cuts it off
 * and lets it grow again: what is read then is what was stored or zeros, and nothing that once lay
 * on the disk.
 */
/* also: tmpfs */
#include "threads.h"

#include <setjmp.h>

#define PAGES  16
#define ROUNDS 150
#define JUNK   (256 * PAGE)

static __thread sigjmp_buf back;
static atomic_int over;
static volatile char *map;

static void
on_bus(int sig)
{
    (void)sig;
    siglongjmp(back, 1);
}

/* The first byte of each page, as long as there is a page. */
static void *
store(void *arg)
{
    for (volatile int i = (int)(intptr_t)arg; !over; i++)
        if (sigsetjmp(back, 1) == 0)
            map[i % PAGES * PAGE] = 1;
    return NULL;
}

/* Free blocks have somebody's bytes. */
static void
leave_junk(void)
{
    char bytes[PAGE];
    int fd = (int)MUST(open("junk", O_CREAT | O_RDWR, 0600));

    memset(bytes, 0xaa, sizeof(bytes));
    for (size_t i = 0; i < JUNK; i += PAGE)
        MUST(write(fd, bytes, PAGE));
    MUST(fsync(fd));
    MUST(close(fd));
    MUST(unlink("junk"));
}

int
main(void)
{
    struct sigaction act = {.sa_handler = on_bus, .sa_flags = SA_NODEFER};
    char page[PAGE];
    pthread_t t[2];
    int strange = 0;

    leave_junk();
    int fd = (int)MUST(open("file", O_CREAT | O_RDWR, 0600));
    void *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(p == MAP_FAILED ? -1 : 0);
    map = p;
    MUST(sigaction(SIGBUS, &act, NULL));
    start_all(t, 2, store);
    for (int i = 0; i < ROUNDS; i++) {
        MUST(ftruncate(fd, 0));
        usleep(500); /* who was on the way to a page comes to its end */
        MUST(ftruncate(fd, PAGES * PAGE));
        for (int k = 0; k < PAGES; k++) {
            MUST(pread(fd, page, PAGE, k * (off_t)PAGE));
            strange += page[0] > 1 || page[0] < 0 || !all_bytes(page + 1, PAGE - 1, 0);
        }
    }
    over = 1;
    join_all(t, 2);
    CHECK("zeros and what was stored", strange == 0);
    return finish();
}
