/*
 * tour.c - the menu: a newcomer's walk through virtual memory in thirteen chapters.
 *
 *     tour        chapter after chapter, by Enter
 *     tour N      one chapter
 *     tour all    all of them without waiting; fails if one of them does
 *
 * A chapter is a program of its own beside this one.
 */
#include "tour.h"

static char folder[256];

static void
find_folder(void)
{
    ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);

    must(n > 0, "/proc/self/exe");
    folder[n] = '\0';
    *strrchr(folder, '/') = '\0';
}

/* Returns 0 if the chapter ended well. */
static int
run_chapter(unsigned n)
{
    char path[300];
    pid_t pid = fork();

    must(pid != -1, "fork");
    if (pid == 0) {
        snprintf(path, sizeof(path), "%s/%s", folder, chapters[n - 1].program);
        execl(path, chapters[n - 1].program, (char *)NULL);
        perror(path);
        _exit(127);
    }
    int status = ended(pid);
    if (WIFSIGNALED(status))
        say("\nThe chapter was ended by signal %d.\n", WTERMSIG(status));
    return status == 0 ? 0 : 1;
}

static void
clear_screen(void)
{
    if (isatty(1))
        say("\033[H\033[2J");
}

static void
show_menu(void)
{
    clear_screen();
    say("\n  T H E   T O U R   virtual memory in %zu short chapters\n\n", CHAPTERS);
    for (unsigned n = 1; n <= CHAPTERS; n++)
        say("  %4u  %s\n", n, chapters[n - 1].title);
    say("\nEach chapter is a program that does what it tells, here and now: the numbers\n"
        "are this machine's. Its source is user/tour/NN_name.c.\n");
}

/* Enter: @next; a number: that chapter; m: 0, the menu; q or the end of input: -1. */
static int
ask(unsigned next)
{
    char line[64];

    for (;;) {
        if (next <= CHAPTERS)
            say("\nEnter: %u %s   1-%zu: chapter   m: menu   q: leave > ", next,
                chapters[next - 1].title, CHAPTERS);
        else
            say("\nThat was all.   1-%zu: chapter   m: menu   q: leave > ", CHAPTERS);
        if (fgets(line, sizeof(line), stdin) == NULL || line[0] == 'q')
            return -1;
        char *end;
        unsigned long n = strtoul(line, &end, 10);
        if (line[0] == '\n')
            return next <= CHAPTERS ? (int)next : -1;
        if (line[0] == 'm')
            return 0;
        if (*end == '\n' && n >= 1 && n <= CHAPTERS)
            return (int)n;
    }
}

static int
guide(void)
{
    unsigned next = 1;
    int n = 0;

    do {
        if (n == 0) {
            show_menu();
        } else {
            clear_screen();
            run_chapter((unsigned)n);
            next = (unsigned)n + 1;
        }
    } while ((n = ask(next)) >= 0);
    return 0;
}

int
main(int argc, char **argv)
{
    unsigned first = 1, last = CHAPTERS, failed = 0;

    find_folder();
    if (argc < 2)
        return guide();
    if (strcmp(argv[1], "all") != 0)
        first = last = (unsigned)atoi(argv[1]);
    if (argc > 2 || first < 1 || last > CHAPTERS) {
        dprintf(2, "usage: tour [all | 1-%zu]\n", CHAPTERS);
        return 2;
    }
    for (unsigned n = first; n <= last; n++) {
        failed |= (unsigned)run_chapter(n);
        if (n < last)
            say("\n");
    }
    return (int)failed;
}
