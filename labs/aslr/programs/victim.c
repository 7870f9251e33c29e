/*
 * victim.c - greets a visitor and hears what he has to say; it believes whatever it is told.
 *
 * The visitor says how many words of the greeting he wants, gets them, and says words until one
 * is 0.  All words are of eight bytes.
 *
 *     victim where    only tells where it lies
 *     victim serve    tells it, and serves one visitor
 *     victim open     opens at once; nobody starts it so
 */
/* build: static-pie -fno-stack-protector -fcf-protection=none -fno-optimize-sibling-calls */
#include "labs/aslr/places.h"

#define LINE_WORDS 8

extern const char __ehdr_start[], _end[];

/* opened - what no visitor may reach: behind it is the vault, which asks for the launch's key. */
__attribute__((noinline)) void
opened(void)
{
    static char *const words[] = {"aslr_rounds", "opened", NULL}, *const none[] = {NULL};

    execve("/lab/aslr_rounds", words, none);
    _exit(1);
}

static uint64_t
hear_word(void)
{
    uint64_t word = 0;

    return read(0, &word, sizeof(word)) == sizeof(word) ? word : 0;
}

/* The first mistake: nobody asks how many words there are at @line. */
__attribute__((noinline)) static void
say_words(const uint64_t *line, uint64_t count)
{
    if (write(1, line, count * sizeof(*line)) < 0)
        _exit(1);
}

/* The second: nor how many there is room for. */
__attribute__((noinline)) static void
hear_words(uint64_t *line)
{
    while ((*line = hear_word()) != 0)
        line++;
}

__attribute__((noinline)) static int
serve(void)
{
    uint64_t line[LINE_WORDS] = {0x6f59206f7261634c, 0x202e756f};

    say_words(line, hear_word());
    hear_words(line);
    return line[0] == 0;
}

/* The end of the region that holds @address, from /proc/self/maps. */
static uint64_t
region_end(uint64_t address)
{
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long start, end = 0;
    char line[512];

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start <= address && address < end)
            break;
    if (f != NULL)
        fclose(f);
    return end;
}

__attribute__((noinline)) static void
tell_places(char **argv)
{
    uint64_t heap = (uint64_t)syscall(SYS_brk, 0);
    char *mapping = pages(1);
    struct places p = {.program = (uint64_t)__ehdr_start,
                       .heap = (heap - (uint64_t)_end) & -PAGE,
                       .mappings = (uint64_t)mapping + PAGE,
                       .stack = region_end((uint64_t)argv),
                       .arguments = (uint64_t)(argv - 1)};

    if (write(TOLD_FD, &p, sizeof(p)) != sizeof(p))
        _exit(1);
}

int
main(int argc, char **argv)
{
    if (argc != 2)
        return 1;
    if (strcmp(argv[1], "open") == 0)
        opened();
    tell_places(argv);
    return strcmp(argv[1], "serve") == 0 ? serve() : 0;
}
