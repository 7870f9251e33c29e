/*
 * bad_pointers.c - every bad address in every system call that takes one is EFAULT (or
 * what Linux says), and nothing else happens.
 *
 * Addresses: NULL, not canonical, kernel half, the last byte of user space, wrapping,
 * a page without rights, half mapped, and read-only for calls that write.
 */
#include "test.h"

#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

static int file, zero, pipe_in, pipe_out;

enum { READS = 1, WRITES = 2 };

struct call {
    const char *name;
    long number;
    int which; /* the argument that is the address */
    int direction;
    long arg[6];
};

static struct call calls[] = {
    {"read file", SYS_read, 1, WRITES, {0, 0, 64}},
    {"read zero", SYS_read, 1, WRITES, {1, 0, 64}},
    {"write pipe", SYS_write, 1, READS, {3, 0, 64}},
    {"write file", SYS_write, 1, READS, {0, 0, 64}},
    {"pread", SYS_pread64, 1, WRITES, {0, 0, 64, 0}},
    {"pwrite", SYS_pwrite64, 1, READS, {0, 0, 64, 0}},
    {"readv", SYS_readv, 1, READS, {0, 0, 4}},
    {"writev", SYS_writev, 1, READS, {0, 0, 4}},
    {"open", SYS_open, 0, READS, {0, 0}},
    {"openat", SYS_openat, 1, READS, {AT_FDCWD, 0, 0}},
    {"stat path", SYS_stat, 0, READS, {0, 0}},
    {"fstat", SYS_fstat, 1, WRITES, {0, 0}},
    {"newfstatat", SYS_newfstatat, 1, READS, {AT_FDCWD, 0, 0, 0}},
    {"access", SYS_access, 0, READS, {0, 0}},
    {"chdir", SYS_chdir, 0, READS, {0}},
    {"mkdir", SYS_mkdir, 0, READS, {0, 0777}},
    {"rmdir", SYS_rmdir, 0, READS, {0}},
    {"unlink", SYS_unlink, 0, READS, {0}},
    {"rename", SYS_rename, 0, READS, {0, 0}},
    {"link", SYS_link, 0, READS, {0, 0}},
    {"symlink", SYS_symlink, 0, READS, {0, 0}},
    {"readlink path", SYS_readlink, 0, READS, {0, 0, 64}},
    {"chmod", SYS_chmod, 0, READS, {0, 0777}},
    {"execve", SYS_execve, 0, READS, {0, 0, 0}},
    {"getcwd", SYS_getcwd, 0, WRITES, {0, 4096}},
    {"getdents64", SYS_getdents64, 1, WRITES, {4, 0, 256}},
    {"pipe", SYS_pipe, 0, WRITES, {0}},
    {"pipe2", SYS_pipe2, 0, WRITES, {0, 0}},
    {"poll", SYS_poll, 0, WRITES, {0, 2, 0}},
    {"uname", SYS_uname, 0, WRITES, {0}},
    {"clock_gettime", SYS_clock_gettime, 1, WRITES, {CLOCK_MONOTONIC, 0}},
    {"nanosleep", SYS_nanosleep, 0, READS, {0, 0}},
    {"rt_sigaction new", SYS_rt_sigaction, 1, READS, {SIGUSR2, 0, 0, 8}},
    {"rt_sigaction old", SYS_rt_sigaction, 2, WRITES, {SIGUSR2, 0, 0, 8}},
    {"rt_sigprocmask new", SYS_rt_sigprocmask, 1, READS, {SIG_BLOCK, 0, 0, 8}},
    {"rt_sigprocmask old", SYS_rt_sigprocmask, 2, WRITES, {SIG_BLOCK, 0, 0, 8}},
    {"sigaltstack new", SYS_sigaltstack, 0, READS, {0, 0}},
    {"sigaltstack old", SYS_sigaltstack, 1, WRITES, {0, 0}},
    {"prlimit old", SYS_prlimit64, 3, WRITES, {0, RLIMIT_NOFILE, 0, 0}},
    {"getrusage", SYS_getrusage, 1, WRITES, {RUSAGE_SELF, 0}},
    {"futex", SYS_futex, 0, READS, {0, 0, 0, 0}},
    {"utimensat times", SYS_utimensat, 2, READS, {AT_FDCWD, 0, 0, 0}},
};

/* The few arguments that are known only at run time stand in the table as small numbers. */
static void
fill_in(struct call *c)
{
    static const char dot[] = ".";

    switch (c->number) {
    case SYS_read:
        c->arg[0] = c->arg[0] == 1 ? zero : file;
        break;
    case SYS_write:
        c->arg[0] = c->arg[0] == 3 ? pipe_in : file;
        break;
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_readv:
    case SYS_writev:
    case SYS_fstat:
        c->arg[0] = file;
        break;
    case SYS_getdents64:
        c->arg[0] = MUST(open(".", O_RDONLY));
        break;
    case SYS_utimensat:
        c->arg[1] = (long)dot;
        break;
    }
}

static void
call_with(const struct call *c, const char *address_name, void *address)
{
    long a[6];

    memcpy(a, c->arg, sizeof(a));
    a[c->which] = (long)address;
    MUST(lseek(file, 0, SEEK_SET));
    long r = syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    say("%-20s %-14s %s\n", c->name, address_name, r == -1 ? errno_name(errno) : "accepted");
}

int
main(void)
{
    int p[2];
    static char content[4096];

    make_file("f", content, sizeof(content));
    MUST(pipe(p));
    pipe_out = p[0], pipe_in = p[1];
    file = (int)MUST(open("f", O_RDWR));
    zero = (int)MUST(open("/dev/zero", O_RDONLY));
    char *m = pages(4);
    MUST(mprotect(m, PAGE, PROT_READ));
    MUST(mprotect(m + PAGE, PAGE, PROT_NONE));
    MUST(munmap(m + 3 * PAGE, PAGE));
    memset(m + 2 * PAGE, 'x', PAGE);

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct call *c = &calls[i];
        fill_in(c);
        call_with(c, "not canonical", (void *)0x0000800000000000);
        call_with(c, "kernel half", (void *)0xffff800000000000);
        call_with(c, "kernel text", (void *)0xffffffff80100000);
        call_with(c, "last bytes", (void *)-2L);
        call_with(c, "end of user", (void *)0x7fffffffffff);
        call_with(c, "no rights", m + PAGE);
        call_with(c, "unmapped", m + 3 * PAGE);
        if (c->direction == WRITES)
            call_with(c, "read-only", m);
        if (c->direction == WRITES)
            call_with(c, "page one", (void *)8);
    }
    CHECK("the shell of it all still works", getpid() > 0 && write(pipe_in, "x", 1) == 1);
    return finish();
}
