/*
 * launches.c - launches a program many times and tells where its regions fell, for ./vm aslr.
 *
 *     launches COUNT PROGRAM
 *
 * A process must hold still while it is looked at, and some end at once.  So a copy of the program
 * is launched whose first instructions map pages and stop.  The loader, if there is one, has done
 * its work by then.  Each launch gives a line "launch" with the addresses in hexadecimal, 0 for
 * what there is none of: program, heap, libraries, a new mapping, stack's top, arguments.
 */
#include "user/tests/test.h"

#include <elf.h>
#include <limits.h>

#define COPY       "/tmp/launched"
#define PROBE_SIZE 0x3000UL /* of the mapping that the stub makes */

/* Not a test that failed: the host shows this as what was wrong with the question. */
#define REFUSED 3

/*
 * mmap(0, PROBE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), then kill(getpid(), SIGSTOP),
 * over and over.
 */
static const unsigned char stub[] = {
    0x31, 0xff,                         /* xor    %edi, %edi */
    0xbe, 0x00, 0x30, 0x00, 0x00,       /* mov    $PROBE_SIZE, %esi */
    0x31, 0xd2,                         /* xor    %edx, %edx */
    0x41, 0xba, 0x22, 0x00, 0x00, 0x00, /* mov    $0x22, %r10d */
    0x49, 0x83, 0xc8, 0xff,             /* or     $-1, %r8 */
    0x45, 0x31, 0xc9,                   /* xor    %r9d, %r9d */
    0xb8, 0x09, 0x00, 0x00, 0x00,       /* mov    $SYS_mmap, %eax */
    0x0f, 0x05,                         /* syscall */
    0xb8, 0x27, 0x00, 0x00, 0x00,       /* mov    $SYS_getpid, %eax */
    0x0f, 0x05,                         /* syscall */
    0x89, 0xc7,                         /* mov    %eax, %edi */
    0xbe, 0x13, 0x00, 0x00, 0x00,       /* mov    $SIGSTOP, %esi */
    0xb8, 0x3e, 0x00, 0x00, 0x00,       /* mov    $SYS_kill, %eax */
    0x0f, 0x05,                         /* syscall */
    0xeb, 0xee,                         /* jmp    to the second mov */
};

/* Where the regions of one launch are. */
struct places {
    unsigned long program, heap, libraries, mapping, stack, arguments;
};

__attribute__((format(printf, 1, 2), noreturn)) static void
refuse(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vdprintf(2, fmt, args);
    va_end(args);
    unlink(COPY);
    exit(REFUSED);
}

/* The file that a shell would run. */
static int
open_program(const char *name)
{
    const char *path = getenv("PATH");
    int fd = -1;

    if (strchr(name, '/') != NULL || path == NULL) {
        fd = open(name, O_RDONLY);
    } else {
        char *folders = strdup(path), *rest = folders, *folder, file[PATH_MAX];

        while (fd < 0 && (folder = strsep(&rest, ":")) != NULL) {
            snprintf(file, sizeof(file), "%s/%s", folder, name);
            fd = access(file, X_OK) == 0 ? open(file, O_RDONLY) : -1;
        }
        free(folders);
    }
    if (fd < 0)
        refuse("there is no program %s in the guest (--add HOST:GUEST puts one there)\n", name);
    return fd;
}

/* Where in the file the first instruction of the program itself is; 0 when it is no program. */
static off_t
entry_offset(int fd)
{
    Elf64_Ehdr e;
    Elf64_Phdr p;

    if (pread(fd, &e, sizeof(e), 0) != sizeof(e) || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 ||
        e.e_machine != EM_X86_64 || (e.e_type != ET_EXEC && e.e_type != ET_DYN))
        return 0;
    for (unsigned i = 0; i < e.e_phnum; i++)
        if (pread(fd, &p, sizeof(p), (off_t)(e.e_phoff + i * sizeof(p))) == sizeof(p) &&
            p.p_type == PT_LOAD && p.p_vaddr <= e.e_entry &&
            e.e_entry + sizeof(stub) <= p.p_vaddr + p.p_filesz)
            return (off_t)(e.e_entry - p.p_vaddr + p.p_offset);
    return 0;
}

static void
make_copy(const char *name)
{
    static char buffer[64 << 10];
    int from = open_program(name);
    off_t entry = entry_offset(from);
    ssize_t n;

    if (entry == 0)
        refuse("%s is not an x86-64 program (a script has the layout of its shell)\n", name);
    int to = (int)MUST(open(COPY, O_WRONLY | O_CREAT | O_TRUNC, 0700));
    while ((n = MUST(read(from, buffer, sizeof(buffer)))) > 0)
        if (write(to, buffer, (size_t)n) != n)
            must(-1, "a copy of the program in /tmp", __LINE__);
    if (pwrite(to, stub, sizeof(stub), entry) != sizeof(stub))
        must(-1, "the copy's first instructions", __LINE__);
    close(to);
    close(from);
}

/* A line of /proc/PID/maps. */
static void
learn_region(struct places *p, const char *line)
{
    unsigned long start, end;
    char rights[5], name[256] = "";

    if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %255s", &start, &end, rights, name) < 3)
        return;
    if (strcmp(name, COPY) == 0) {
        p->program = p->program != 0 ? p->program : start;
    } else if (strcmp(name, "[stack]") == 0) {
        p->stack = end;
    } else if (name[0] == '/') {
        p->libraries = p->libraries != 0 ? p->libraries : start;
    } else if (strcmp(rights, "---p") == 0 && end - start == PROBE_SIZE) {
        p->mapping = start;
    }
}

/* /proc/PID/stat has where the heap begins, which may have no page yet, and the arguments. */
static void
learn_stat(struct places *p, const char *line)
{
    const char *at = strrchr(line, ')');

    for (unsigned field = 3; at != NULL && field <= 48; field++) {
        at = strchr(at + 1, ' ');
        if (at != NULL && field == 47)
            p->heap = strtoul(at + 1, NULL, 10);
        if (at != NULL && field == 48)
            p->arguments = strtoul(at + 1, NULL, 10);
    }
}

static struct places
look(pid_t pid)
{
    struct places p = {0};
    char path[64], line[1024];

    for (int maps = 0; maps < 2; maps++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, maps ? "maps" : "stat");
        FILE *f = fopen(path, "r");

        if (f == NULL)
            must(-1, path, __LINE__);
        while (fgets(line, sizeof(line), f) != NULL)
            (maps ? learn_region : learn_stat)(&p, line);
        fclose(f);
    }
    return p;
}

static void
launch(const char *name)
{
    int status;
    pid_t pid = (pid_t)MUST(vfork());

    if (pid == 0) {
        execl(COPY, name, NULL);
        _exit(127);
    }
    MUST(waitpid(pid, &status, WUNTRACED));
    if (!WIFSTOPPED(status))
        refuse(
            "%s ended at once, before its first instruction: its loader or a library is not in "
            "the guest (--add HOST:GUEST puts it there)\n",
            name);
    struct places p = look(pid);

    MUST(kill(pid, SIGKILL));
    MUST(waitpid(pid, &status, 0));
    say("launch %lx %lx %lx %lx %lx %lx\n", p.program, p.heap, p.libraries, p.mapping, p.stack,
        p.arguments);
}

int
main(int argc, char **argv)
{
    if (argc != 3) {
        say("usage: launches COUNT PROGRAM\n");
        return 2;
    }
    make_copy(argv[2]);
    for (long left = strtol(argv[1], NULL, 10); left > 0; left--)
        launch(argv[2]);
    unlink(COPY);
    return 0;
}
