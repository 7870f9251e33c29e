/*
 * threads_cut_and_read.c - threads read a file while another cuts it off and lets it grow again:
 * what is there then is zeros, and not what a reader who was on his way found on the disk.
 */
#include "threads.h"

#define PAGES  256
#define ROUNDS 20

static atomic_int over;
static int fd;

static void *
read_about(void *arg)
{
    unsigned x = 1 + (unsigned)(intptr_t)arg;
    char page[PAGE];

    while (!over) {
        x = x * 1103515245 + 12345;
        MUST(pread(fd, page, PAGE, (x >> 16) % PAGES * (off_t)PAGE));
    }
    return NULL;
}

static void
fill(void)
{
    char page[PAGE];

    memset(page, 0xaa, sizeof(page));
    for (int i = 0; i < PAGES; i++)
        MUST(pwrite(fd, page, PAGE, i * (off_t)PAGE));
    MUST(fsync(fd));
}

int
main(void)
{
    char page[PAGE];
    pthread_t t[3];
    int strange = 0;

    fd = (int)MUST(open("file", O_CREAT | O_RDWR, 0600));
    fill();
    /* Copies of its pages are looked for when it shrinks: that takes time. */
    MUST(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
    start_all(t, 3, read_about);
    for (int i = 0; i < ROUNDS; i++) {
        fill();
        MUST(ftruncate(fd, 0));
        MUST(ftruncate(fd, PAGES * PAGE));
        for (int k = 0; k < PAGES; k++) {
            MUST(pread(fd, page, PAGE, k * (off_t)PAGE));
            strange += !all_bytes(page, PAGE, 0);
        }
    }
    over = 1;
    join_all(t, 3);
    say("pages with old bytes: %d\n", strange);
    return finish();
}
