/*
 * kernel_addresses_stay_inside.c - nothing that a program is given has an address of the kernel
 * in it, nor what lay on the kernel's stack.
 *
 * What it is given: the stack it starts with, registers after system calls, structures that
 * calls fill in, frames of signal handlers, all of /proc, names and inode numbers.  Each is
 * looked through for numbers of the kernel's half.  Buffers are filled with 0x5a before; a
 * kernel compiled with -ftrivial-auto-var-init=pattern, whose uninitialised bytes are all 0xfe,
 * shows padding that was copied out with the rest.  Linux shows root its symbols, so it is no
 * measure here.
 */
#include "test.h"

#include <dirent.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <termios.h>
#include <time.h>

#define KERNEL_LOW  0xffff800000000000UL
#define KERNEL_HIGH 0xfffff00000000000UL /* above: small negative numbers, but for the image */
#define IMAGE_LOW   0xffffffff80000000UL
#define IMAGE_HIGH  0xffffffffc0000000UL

#define FRAME_ROOM (64UL << 10)
#define FILE_ROOM  (256UL << 10)

static const char *found_in; /* the first thing that had one; NULL: none */
static unsigned char buffer[PAGE] __attribute__((aligned(16)));
static unsigned char frames[FRAME_ROOM] __attribute__((aligned(64)));
static char text[FILE_ROOM];
static unsigned files_read;

static int
is_kernels(uint64_t v)
{
    return (v >= KERNEL_LOW && v < KERNEL_HIGH) || (v >= IMAGE_LOW && v < IMAGE_HIGH);
}

static void
found(const char *what, uint64_t value)
{
    if (found_in == NULL)
        say("%s: %lx\n", what, (unsigned long)value);
    found_in = what;
}

/* Numbers as they lie in memory, at each multiple of four. */
static void
scan(const char *what, const void *start, size_t length)
{
    for (size_t at = 0; at + 4 <= length; at += 4) {
        uint64_t v = 0;

        memcpy(&v, (const char *)start + at, at + 8 <= length ? 8 : 4);
        if (is_kernels(v) || (uint32_t)v == 0xfefefefe)
            found(what, v);
    }
}

/* Numbers as they are written, in hexadecimal or decimal. */
static void
scan_text(const char *what, const char *p)
{
    while (*p != '\0') {
        size_t n = strspn(p, "0123456789abcdefABCDEF");

        for (int base = 10; base <= 16 && n >= 12 && n <= 20; base += 6)
            if (is_kernels(strtoull(p, NULL, base)))
                found(what, strtoull(p, NULL, base));
        p += n > 0 ? n : 1;
    }
}

/* ---- structures ---- */

#define TRY(call)                             \
    do {                                      \
        memset(buffer, 0x5a, sizeof(buffer)); \
        (void)!(long)(call);                  \
        scan(#call, buffer, sizeof(buffer));  \
    } while (0)

static void
files_and_names(void *b)
{
    int fd = (int)MUST(open("file", O_CREAT | O_RDWR, 0600));
    int dir = (int)MUST(open("/", O_RDONLY));
    struct flock *lock = b;

    TRY(syscall(SYS_fstat, fd, b));
    TRY(syscall(SYS_stat, "/dev/null", b));
    TRY(syscall(SYS_stat, "/proc/self/maps", b));
    TRY(syscall(SYS_statx, AT_FDCWD, "/", 0, 0xfff, b));
    TRY(syscall(SYS_statfs, "/", b));
    TRY(syscall(SYS_statfs, "/proc", b));
    TRY(syscall(SYS_statfs, "/tmp", b));
    TRY(syscall(SYS_getdents64, dir, b, PAGE));
    TRY(lseek(dir, 0, SEEK_SET) + syscall(SYS_getdents, dir, b, PAGE));
    TRY(syscall(SYS_getcwd, b, PAGE));
    TRY(syscall(SYS_readlink, "/proc/self/exe", b, PAGE));
    TRY((memset(lock, 0, sizeof(*lock)), lock->l_type = F_WRLCK, fcntl(fd, F_GETLK, lock)));
    TRY(ftruncate(fd, 100) + pread(fd, b, PAGE, 0));
    TRY(pwrite(fd, "x", 1, 3000) + pread(fd, b, PAGE, 0));
    close(dir);
    close(fd);
    unlink("file");
}

static void
times_and_limits(void *b)
{
    TRY(syscall(SYS_uname, b));
    TRY(syscall(SYS_sysinfo, b));
    TRY(syscall(SYS_times, b));
    TRY(syscall(SYS_getrusage, RUSAGE_SELF, b));
    TRY(syscall(SYS_getrlimit, RLIMIT_STACK, b));
    TRY(syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, b));
    TRY(syscall(SYS_gettimeofday, b, (char *)b + 64));
    TRY(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, b));
    TRY(syscall(SYS_clock_getres, CLOCK_REALTIME, b));
    TRY(syscall(SYS_getitimer, ITIMER_REAL, b));
    TRY(syscall(SYS_getgroups, 0, b));
    TRY(syscall(SYS_getresuid, b, (char *)b + 8, (char *)b + 16));
    TRY(syscall(SYS_sched_getaffinity, 0, 128, b));
    TRY(syscall(SYS_sched_getparam, 0, b));
    TRY(syscall(SYS_getcpu, b, (char *)b + 8, NULL));
    TRY(syscall(SYS_get_robust_list, 0, b, (char *)b + 8));
    TRY(syscall(SYS_prctl, 16 /* PR_GET_NAME */, b, 0, 0, 0));
    TRY(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, b));
    TRY(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, b));
    TRY(syscall(SYS_mincore, frames, FRAME_ROOM, b));
}

static void
signals_and_waiting(void *b)
{
    sigset_t all, none;
    int fd[2];

    sigfillset(&all);
    sigemptyset(&none);
    MUST(pipe(fd));
    TRY(syscall(SYS_rt_sigaction, SIGUSR1, NULL, b, 8));
    TRY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, b, 8));
    TRY(syscall(SYS_rt_sigpending, b, 8));
    TRY(syscall(SYS_sigaltstack, NULL, b));
    TRY(raise(SIGUSR1) + syscall(SYS_rt_sigtimedwait, &all, b, NULL, 8));
    TRY(sigqueue(getpid(), SIGUSR2, (union sigval){0}) +
        syscall(SYS_rt_sigtimedwait, &all, b, NULL, 8));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0)
        _exit(0);
    TRY(syscall(SYS_rt_sigtimedwait, &all, b, NULL, 8)); /* SIGCHLD */
    TRY(syscall(SYS_waitid, P_PID, pid, b, WEXITED | WNOWAIT, (char *)b + 256));
    TRY(syscall(SYS_wait4, pid, b, 0, (char *)b + 64));
    sigprocmask(SIG_SETMASK, &none, NULL);
    TRY(ioctl(fd[0], FIONREAD, b));
    TRY(ioctl(0, TCGETS, b));
    TRY(ioctl(0, TIOCGWINSZ, b));
    TRY((((struct pollfd *)b)->fd = fd[1], poll(b, 1, 0)));
    TRY((memset(b, 0, 128), ((uint64_t *)b)[0] = 1UL << fd[1],
         select(fd[1] + 1, NULL, b, NULL, NULL)));
    close(fd[0]);
    close(fd[1]);
}

/* ---- signal frames ---- */

static void
handler(int sig)
{
    (void)sig;
}

static void
fault_handler(int sig)
{
    (void)sig;
    _exit(0);
}

static void
touch_kernel(void *address)
{
    stack_t alt = {.ss_sp = frames, .ss_size = FRAME_ROOM};
    struct sigaction act = {.sa_handler = fault_handler, .sa_flags = SA_ONSTACK};

    MUST(sigaltstack(&alt, NULL));
    MUST(sigaction(SIGSEGV, &act, NULL));
    (void)*(volatile char *)launder(address);
    _exit(1);
}

/* Each kind of signal writes its frame to a stack of 0x5a, which is then looked through. */
static void
signal_frames(void)
{
    stack_t alt = {.ss_sp = frames, .ss_size = FRAME_ROOM};
    struct sigaction act = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    struct itimerval soon = {.it_value.tv_usec = 1000};
    static const int signals[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE, SIGCHLD};
    int fd[2];

    MUST(pipe(fd));
    close(fd[0]);
    MUST(sigaltstack(&alt, NULL));
    for (unsigned i = 0; i < 5; i++) {
        memset(frames, 0x5a, sizeof(frames));
        MUST(sigaction(signals[i], &act, NULL));
        if (signals[i] == SIGUSR1)
            raise(SIGUSR1);
        if (signals[i] == SIGUSR2)
            sigqueue(getpid(), SIGUSR2, (union sigval){0});
        if (signals[i] == SIGALRM && setitimer(ITIMER_REAL, &soon, NULL) == 0)
            wait_for_signals();
        if (signals[i] == SIGPIPE)
            (void)!write(fd[1], "", 1);
        if (signals[i] == SIGCHLD && vfork() == 0)
            _exit(0);
        scan(signal_name(signals[i]), frames, sizeof(frames));
    }
    close(fd[1]);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
}

/* ---- registers ---- */

static uint64_t registers[13];

/* The registers hold a known value over a system call; but for rax, rcx and r11 they keep it. */
static int
registers_kept(long number)
{
    static const uint64_t known = 0x5a5a5a5a5a5a;

    for (unsigned i = 0; i < 13; i++)
        registers[i] = known;
    __asm__ volatile("lea registers(%%rip), %%rbx\n"
                     "mov (%%rbx), %%rdi\n mov (%%rbx), %%rsi\n mov (%%rbx), %%rdx\n"
                     "mov (%%rbx), %%r8\n mov (%%rbx), %%r9\n mov (%%rbx), %%r10\n"
                     "mov (%%rbx), %%r12\n mov (%%rbx), %%r13\n mov (%%rbx), %%r14\n"
                     "mov (%%rbx), %%r15\n syscall\n"
                     "mov %%rdi, (%%rbx)\n mov %%rsi, 8(%%rbx)\n mov %%rdx, 16(%%rbx)\n"
                     "mov %%r8, 24(%%rbx)\n mov %%r9, 32(%%rbx)\n mov %%r10, 40(%%rbx)\n"
                     "mov %%r12, 48(%%rbx)\n mov %%r13, 56(%%rbx)\n mov %%r14, 64(%%rbx)\n"
                     "mov %%r15, 72(%%rbx)\n mov %%rcx, 80(%%rbx)\n mov %%r11, 88(%%rbx)\n"
                     "mov %%rax, 96(%%rbx)\n"
                     : "+a"(number)
                     :
                     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
                       "r13", "r14", "r15", "memory");
    scan("registers", registers, sizeof(registers));
    for (unsigned i = 0; i < 10; i++)
        if (registers[i] != known)
            return 0;
    return 1;
}

/* ---- /proc and /dev ---- */

static void
read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    ssize_t n, have = 0;

    if (fd < 0)
        return;
    while (have < (ssize_t)FILE_ROOM - 1 &&
           (n = read(fd, text + have, FILE_ROOM - 1 - (size_t)have)) > 0)
        have += n;
    close(fd);
    files_read += have > 0;
    for (ssize_t i = 0; i < have; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    text[have] = '\0';
    scan_text(path, text);
    scan(path, text, (size_t)have);
}

static void
walk(const char *folder, unsigned depth)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    struct stat st;
    char path[512];
    ssize_t n;

    while (d != NULL && (e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        scan_text("a name", path);
        if (is_kernels(e->d_ino) || is_kernels((uint64_t)e->d_off))
            found(path, e->d_ino);
        if (lstat(path, &st) != 0)
            continue;
        scan(path, &st, sizeof(st));
        if (S_ISDIR(st.st_mode) && depth > 0)
            walk(path, depth - 1);
        else if (S_ISREG(st.st_mode))
            read_file(path);
        else if (S_ISLNK(st.st_mode) && (n = readlink(path, text, FILE_ROOM - 1)) > 0)
            text[n] = '\0', scan_text(path, text);
    }
    if (d != NULL)
        closedir(d);
}

static int
nothing_found(void)
{
    int nothing = found_in == NULL;

    found_in = NULL;
    return nothing;
}

/* Memory without a file behind it, as two kinds of it are shown. */
static void
map_shared(void)
{
    int fd = memfd_create("memory", 0);

    MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
}

int
main(int argc, char **argv)
{
    char **end = argv + argc + 1;

    map_shared();
    if (argc > 1) { /* "maps": for a comparison of two machines */
        read_file("/proc/self/maps");
        return write(1, text, strlen(text)) < 0;
    }
    while (*end++ != NULL) /* behind the environment is the auxiliary vector, then strings */
        continue;
    scan("the initial stack", argv - 1, (size_t)((char *)end - (char *)argv) + 20 * 16);
    CHECK("the initial stack", nothing_found());
    CHECK("registers are kept", registers_kept(SYS_getpid) && registers_kept(9999) &&
                                    registers_kept(SYS_sched_yield) &&
                                    registers_kept(SYS_stat));
    CHECK("registers", nothing_found());
    files_and_names(buffer);
    CHECK("files and names", nothing_found());
    times_and_limits(buffer);
    CHECK("times and limits", nothing_found());
    signals_and_waiting(buffer);
    CHECK("signals and waiting", nothing_found());
    signal_frames();
    CHECK("signal frames", nothing_found());
    /* The address is the program's own guess, so this one is given it back; the rest is not. */
    show_status("a guess", in_child(touch_kernel, (void *)KERNEL_LOW));
    walk("/proc", 4);
    CHECK("/proc was read", files_read > 60);
    CHECK("/proc", nothing_found());
    walk("/dev", 1);
    CHECK("/dev", nothing_found());
    return finish();
}
