/*
 * family.c - a parent and three children that share, copy and swap, and then hold still.
 *
 * usage: family MIB
 *
 * The parent fills MIB of private memory and forks; each child reads all of it and writes an
 * eighth of its own.  When all of them sleep, the parent prints what /proc says of everybody and
 * of the machine, then "=== ready"; at a line of input it prints all of it once more, and ends.
 * What is the same both times was so in between, when tests/test_glass.py looked from outside.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE     4096UL
#define CHILDREN 3
#define SHARED   64 /* pages */

static char buffer[1 << 16];
static char out[1 << 16];
static uint64_t words[512];

static void
show_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t n;

    printf("=== %s\n", path);
    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        fwrite(buffer, 1, (size_t)n, stdout);
    close(fd);
}

/* A line with address and word for every page of [start, end) that pagemap knows something of. */
static void
show_pages(int fd, unsigned long start, unsigned long end)
{
    for (; start < end; start += sizeof(words) / 8 * PAGE) {
        size_t n = (end - start) / PAGE < 512 ? (end - start) / PAGE : 512;

        if (pread(fd, words, n * 8, (off_t)(start / PAGE * 8)) < 0)
            return;
        for (size_t i = 0; i < n; i++)
            if (words[i] != 0)
                printf("%lx %lx\n", start + i * PAGE, words[i]);
    }
}

static void
show_process(pid_t pid)
{
    static const char *const names[] = {"maps", "smaps", "faults", "statm"};
    char path[64], line[512];
    unsigned long start, end;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
        show_file(path);
    }
    printf("=== /proc/%d/pagemap\n", pid);
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "r");
    snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
    int fd = open(path, O_RDONLY);
    while (fgets(line, sizeof(line), maps) != NULL)
        if (sscanf(line, "%lx-%lx", &start, &end) == 2)
            show_pages(fd, start, end);
    close(fd);
    fclose(maps);
}

static void
show_all(const pid_t *children)
{
    show_process(getpid());
    for (int i = 0; i < CHILDREN; i++)
        show_process(children[i]);
    show_file("/proc/swaps");
    show_file("/proc/meminfo");
    show_file("/proc/vitrine/frames");
    show_file("/proc/vitrine/faults");
}

static void
child(int number, volatile char *memory, size_t size, volatile char *shared, int done)
{
    unsigned sum = 0;

    for (size_t at = 0; at < size; at += PAGE)
        sum += (unsigned char)memory[at];
    for (size_t at = size / 8 * (size_t)number; at < size / 8 * (size_t)(number + 1);
         at += PAGE)
        memory[at + 1] = (char)number;
    for (int page = 0; page < SHARED; page += 2)
        shared[(size_t)page * PAGE + (size_t)number] = (char)sum;
    if (write(done, "d", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

int
main(int argc, char **argv)
{
    size_t size = (argc > 1 ? (size_t)atoi(argv[1]) : 4) << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared =
        mmap(NULL, SHARED * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int fd = open("/proc/self/exe", O_RDONLY), done[2];
    char *file = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    pid_t children[CHILDREN];

    if (memory == MAP_FAILED || shared == MAP_FAILED || file == MAP_FAILED || pipe(done) != 0)
        return 1;
    setvbuf(stdout, out, _IOFBF, sizeof(out));
    file[PAGE] = file[0];
    for (size_t at = 0; at < size; at += PAGE)
        memset(memory + at, (int)(at / PAGE % 251) + 1, 64);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0)
            child(i, memory, size, shared, done[1]);
        if (children[i] < 0 || read(done[0], buffer, 1) != 1)
            return 1;
    }
    printf("=== family %p %zu\n", (void *)memory, size);
    for (int turn = 0; turn < 2; turn++) {
        show_all(children);
        printf("=== ready\n");
        fflush(stdout);
        if (turn == 0 && fgets(buffer, sizeof(buffer), stdin) == NULL)
            return 1;
    }
    for (int i = 0; i < CHILDREN; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    return 0;
}
