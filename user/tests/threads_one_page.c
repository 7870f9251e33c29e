/*
 * threads_one_page.c - two and four threads fault on one page at the same moment: a fresh
 * one, one of a file, one that is swapped out, one that is shared with a child.
 *
 * Each writes its own word; a store that went to a frame which another fault then replaced
 * would be missing afterwards.
 */
/* also: tmpfs */
#include "threads.h"

#define MOST   4
#define ROUNDS 60
#define WORDS  (PAGE / sizeof(uint32_t))

static pthread_barrier_t before, after;
static uint32_t *volatile page;
static int threads;
static atomic_int wrong;
static atomic_uint sums;

/* The part of thread me in each round: it reads the page or writes every so many words. */
static void *
touch(void *arg)
{
    int me = (int)(intptr_t)arg;

    for (;;) {
        pthread_barrier_wait(&before);
        uint32_t *p = page, sum = 0;
        if (p == NULL)
            return arg;
        p[me] += (uint32_t)me + 1;
        for (size_t i = (size_t)threads; i < WORDS; i++)
            sum += p[i];
        sums += sum;
        pthread_barrier_wait(&after);
    }
}

/* Let all threads loose on a page; each word of theirs had `base`, the others sum up to `rest`. */
static void
round_on(uint32_t *p, uint32_t base, uint32_t rest)
{
    sums = 0;
    page = p;
    pthread_barrier_wait(&before);
    pthread_barrier_wait(&after);
    for (int i = 0; i < threads; i++)
        wrong += p[i] != base + (uint32_t)i + 1;
    wrong += sums != rest * (uint32_t)threads;
}

static uint32_t *
map(int flags, int fd)
{
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

static void
fill(uint32_t *p, uint32_t value)
{
    for (size_t i = 0; i < WORDS; i++)
        p[i] = value;
}

static void
done(const char *what)
{
    say("%d threads, %s: %d wrong\n", threads, what, (int)wrong);
    test_failures += wrong != 0;
    wrong = 0;
}

static void
anonymous(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t *p = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
        round_on(p, 0, 0);
        munmap(p, PAGE);
    }
    done("a fresh page");
    uint32_t *p = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (int i = 0; i < ROUNDS; i++) {
        fill(p, 5);
        madvise(p, PAGE, 21 /* MADV_PAGEOUT */);
        round_on(p, 5, 5 * (uint32_t)(WORDS - (size_t)threads));
    }
    munmap(p, PAGE);
    done("a page that is paged out");
}

/* What a file holds is dropped from memory first, so that the faults wait for the disk. */
static void
of_file(const char *what, int flags)
{
    static uint32_t bytes[WORDS];
    int fd = (int)MUST(open("page", O_CREAT | O_RDWR, 0600));

    fill(bytes, 3);
    for (int i = 0; i < ROUNDS; i++) {
        MUST(pwrite(fd, bytes, PAGE, 0));
        MUST(fdatasync(fd));
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        uint32_t *p = map(flags, fd);
        round_on(p, 3, 3 * (uint32_t)(WORDS - (size_t)threads));
        munmap(p, PAGE);
        if (flags == MAP_PRIVATE) {
            uint32_t now;
            MUST(pread(fd, &now, 4, 0));
            wrong += now != 3;
        }
    }
    close(fd);
    done(what);
}

/* The child must keep the page as it was, however many copy it in the parent. */
static void
shared_with_child(void)
{
    struct gate go;

    for (int i = 0; i < ROUNDS / 4; i++) {
        uint32_t *p = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
        fill(p, 7);
        gate_make(&go);
        pid_t pid = (pid_t)MUST(fork());
        if (pid == 0) {
            gate_wait(&go);
            for (size_t k = 0; k < WORDS; k++)
                wrong += p[k] != 7;
            _exit(wrong != 0);
        }
        round_on(p, 7, 7 * (uint32_t)(WORDS - (size_t)threads));
        gate_open(&go);
        wrong += reap(pid) != 0;
        close(go.fd[0]);
        close(go.fd[1]);
        munmap(p, PAGE);
    }
    done("a page to be copied");
}

int
main(void)
{
    pthread_t t[MOST];

    for (threads = 2; threads <= MOST; threads += 2) {
        MUST0(pthread_barrier_init(&before, NULL, (unsigned)threads + 1));
        MUST0(pthread_barrier_init(&after, NULL, (unsigned)threads + 1));
        start_all(t, threads, touch);
        anonymous();
        of_file("a shared page of a file", MAP_SHARED);
        of_file("a private page of a file", MAP_PRIVATE);
        shared_with_child();
        page = NULL;
        pthread_barrier_wait(&before);
        join_all(t, threads);
    }
    return finish();
}
