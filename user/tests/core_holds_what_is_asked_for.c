/*
 * core_holds_what_is_asked_for.c - which memory is in a core file: coredump_filter, madvise.
 *
 * The dying child marks the first bytes of a page of each kind; the parent looks for the marks in
 * the core, page by page.  The mark is put together at run time, so that no other page holds it.
 */
/* needs: root */
/* also: tmpfs */
#include "test.h"

enum kind {
    PRIVATE,
    UNREADABLE,
    NOT_WANTED,
    WANTED_AGAIN,
    SHARED_ANON,
    MEMFD,
    FILE_READ,
    FILE_WRITTEN,
    FILE_SHARED,
    KINDS
};

static const char *const names[KINDS] = {
    "private", "PROT_NONE",     "MADV_DONTDUMP",          "MADV_DODUMP",  "shared",
    "memfd",   "file, private", "file, private, written", "file, shared",
};

struct mark {
    char text[8];
    uint64_t kind, not_kind;
};

static void
put_mark(void *at, uint64_t kind)
{
    struct mark m = {.kind = kind, .not_kind = ~kind};

    for (int i = 0; i < 8; i++)
        m.text[i] = (char)("DBSJ$NBSJ"[i] ^ (i + 1)); /* so that the text stands nowhere */
    memcpy(at, &m, sizeof(m));
    explicit_bzero(&m, sizeof(m)); /* the stack is in the core too */
}

static char *
map(int flags, int fd)
{
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

    MUST(p == MAP_FAILED ? -1 : 0);
    return p;
}

/* The descriptor of a file of two pages with the mark of @kind at the second. */
static int
marked_file(const char *name, enum kind kind)
{
    char page[PAGE] = "";
    int fd = MUST(strcmp(name, "memfd") == 0 ? memfd_create(name, 0)
                                             : open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));

    MUST(pwrite(fd, page, PAGE, 0));
    put_mark(page, kind);
    MUST(pwrite(fd, page, PAGE, PAGE));
    explicit_bzero(page, PAGE);
    return fd;
}

/* Everything that can be in a core. */
static void
fill_memory(void)
{
    char *p[KINDS];

    for (enum kind k = PRIVATE; k <= WANTED_AGAIN; k++)
        put_mark((p[k] = map(MAP_PRIVATE | MAP_ANONYMOUS, -1)) + PAGE, k);
    MUST(mprotect(p[UNREADABLE], 2 * PAGE, PROT_NONE));
    MUST(madvise(p[NOT_WANTED], 2 * PAGE, MADV_DONTDUMP));
    MUST(madvise(p[WANTED_AGAIN], 2 * PAGE, MADV_DONTDUMP));
    MUST(madvise(p[WANTED_AGAIN], 2 * PAGE, MADV_DODUMP));
    put_mark(map(MAP_SHARED | MAP_ANONYMOUS, -1) + PAGE, SHARED_ANON);
    (void)map(MAP_SHARED, marked_file("memfd", MEMFD));
    (void)map(MAP_PRIVATE, marked_file("read", FILE_READ));
    map(MAP_PRIVATE, marked_file("written", FILE_WRITTEN))[0] = 'w';
    (void)map(MAP_SHARED, marked_file("shared", FILE_SHARED));
}

/* Says which marks the core of @pid holds, and removes it. */
static void
look(pid_t pid, const char *filter)
{
    char name[64], page[PAGE];
    unsigned found = 0;
    struct mark want;
    int fd;

    snprintf(name, sizeof(name), "core.%d", pid);
    fd = open(name, O_RDONLY);
    if (fd == -1) {
        strcpy(name, "core");
        fd = MUST(open(name, O_RDONLY));
    }
    while (read(fd, page, PAGE) == PAGE) {
        memcpy(&want, page, sizeof(want));
        put_mark(&want, want.kind);
        if (want.kind < KINDS && memcmp(page, &want, sizeof(want)) == 0)
            found |= 1U << want.kind;
    }
    explicit_bzero(page, PAGE); /* the next child has this stack */
    explicit_bzero(&want, sizeof(want));
    close(fd);
    MUST(unlink(name));
    say("filter %s:", filter);
    for (enum kind k = 0; k < KINDS; k++)
        say("%s %s", found & 1U << k ? k == 0 ? "" : ";" : " (no)", names[k]);
    say("\n");
}

static void
set_filter(const char *filter)
{
    int fd = MUST(open("/proc/self/coredump_filter", O_WRONLY));

    show("written to the filter", write(fd, filter, strlen(filter)));
    close(fd);
}

static void
crash(const char *filter)
{
    pid_t pid = MUST(fork());

    if (pid == 0) {
        MUST(setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}));
        fill_memory();
        raise(SIGSEGV);
    }

    int status = reap(pid);

    CHECK("it dumped its core", WIFSIGNALED(status) && WCOREDUMP(status));
    look(pid, filter);
}

/* A gigabyte with two pages in it takes little room in the core. */
static void
sparse(void)
{
    char name[64];
    struct stat st;
    pid_t pid = MUST(fork());

    if (pid == 0) {
        MUST(setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}));
        char *p = mmap(NULL, 1UL << 30, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        MUST(p == MAP_FAILED ? -1 : 0);
        p[PAGE] = p[700UL << 20] = 1;
        abort();
    }
    CHECK("it dumped its core", WCOREDUMP(reap(pid)));
    snprintf(name, sizeof(name), "core.%d", pid);
    MUST(stat(name, &st) == 0 ? 0 : stat(strcpy(name, "core"), &st));
    CHECK("the core is longer than a gigabyte", st.st_size > 1L << 30);
    CHECK("and takes less than a megabyte on the disk", st.st_blocks < 2048);
    MUST(unlink(name));
}

int
main(void)
{
    static const char *const filters[] = {"0x33", "0", "1", "2", "4", "8", "15", "0xf\n"};
    char text[16] = "";
    int fd = MUST(open("/proc/self/coredump_filter", O_RDWR));

    MUST(read(fd, text, sizeof(text) - 1));
    say("the filter is %s", text);
    show("a filter that is no number", write(fd, "some", 4));
    crash("as it is");
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        set_filter(filters[i]);
        crash(filters[i][2] == 'f' ? "0xf" : filters[i]);
    }
    sparse();
    return finish();
}
