/*
 * core_die.c - a child with memory of every kind and known registers dies, and leaves a core.
 *
 * core_die SEED PAGES: the first mapping has so many pages, of which about two thirds are filled.
 *
 * Checkpoint: 1 the child, whose memory does not change any more: from there to its death it only
 * loads registers.  The parent calls the core /root/core.
 */
#include "labs/lab.h"

#include <sys/resource.h>

#define FEW   4
#define WHERE 0x100000000000U /* where nothing is mapped */

/* What the grader reads.  The registers are in the order of NT_PRSTATUS, from r15 to rdi. */
struct truth {
    uint64_t registers[15], rsp, fs_base;
    const uint64_t *auxv;
};

/* die(1, truth, die_here): checkpoint(1, truth, die_here), then the registers, then the fault. */
void die(long n, struct truth *truth, char *here);
extern char die_here[];

__asm__(".text\n"
        "die:\n"
        "    mov %rsp, 120(%rsi)\n"
        "    mov %rsi, %rbx\n"
        "    call checkpoint\n"
        "    mov %rbx, %rdi\n"
        "    xor %eax, %eax\n" /* sets PF and ZF */
        "    stc\n"            /* and CF */
        "    mov 0(%rdi), %r15\n"
        "    mov 8(%rdi), %r14\n"
        "    mov 16(%rdi), %r13\n"
        "    mov 24(%rdi), %r12\n"
        "    mov 32(%rdi), %rbp\n"
        "    mov 40(%rdi), %rbx\n"
        "    mov 48(%rdi), %r11\n"
        "    mov 56(%rdi), %r10\n"
        "    mov 64(%rdi), %r9\n"
        "    mov 72(%rdi), %r8\n"
        "    mov 80(%rdi), %rax\n"
        "    mov 88(%rdi), %rcx\n"
        "    mov 96(%rdi), %rdx\n"
        "    mov 104(%rdi), %rsi\n"
        "    mov 112(%rdi), %rdi\n"
        "die_here:\n"
        "    movb $1, (%rax)\n");

/* What the kernel told the program at its start lies behind its environment. */
static const uint64_t *
find_auxv(void)
{
    char **end = environ;

    while (*end != NULL)
        end++;
    return (const uint64_t *)(end + 1);
}

static void
map_anonymous(uint32_t seed, uint32_t count)
{
    char *many = pages(count), *hidden, *constant, *left_out, *shared;

    for (uint32_t k = 0; k < count; k++)
        if (!chosen(seed, k))
            memset(many + k * PAGE, byte_of(seed, k), PAGE);
    MUST(munmap(many + count / 2 * PAGE, PAGE)); /* a gap, which is no memory at all */
    fill(hidden = pages(FEW), FEW, seed + 1);
    MUST(mprotect(hidden, FEW * PAGE, PROT_NONE));
    fill(constant = pages(FEW), FEW, seed + 2);
    MUST(mprotect(constant, FEW * PAGE, PROT_READ));
    fill(left_out = pages(FEW), FEW, seed + 3);
    MUST(madvise(left_out, FEW * PAGE, MADV_DONTDUMP));
    MUST(mprotect(pages(FEW), FEW * PAGE, PROT_READ | PROT_EXEC)); /* never touched */
    shared = mmap(NULL, FEW * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(shared == MAP_FAILED ? -1 : 0);
    fill(shared, FEW - 1, seed + 4);
}

/* Two pages of the program's own file from the second on; nothing of them needs to be dumped. */
static void
map_file(const char *name)
{
    int fd = (int)MUST(open(name, O_RDONLY));
    char *file = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);

    MUST(file == MAP_FAILED ? -1 : 0);
    touch(file, 1);
}

static void
child(uint32_t seed, uint32_t count, const char *name)
{
    static struct truth truth;

    map_anonymous(seed, count);
    map_file(name);
    for (uint32_t i = 0; i < 15; i++)
        truth.registers[i] = (seed + i + 1) * 0x9e3779b97f4a7c15U;
    truth.registers[10] = WHERE + (truth.registers[10] >> 32); /* rax, to which it stores */
    truth.auxv = find_auxv();
    __asm__("mov %%fs:0, %0" : "=r"(truth.fs_base));
    die(1, &truth, die_here);
}

int
main(int argc, char **argv)
{
    uint32_t seed = seed_of(argc, argv);
    char name[32];

    MUST(chdir("/root"));
    MUST(setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        child(seed, (uint32_t)atoi(argv[2]), argv[0]);
        _exit(0);
    }
    int status = reap(pid);
    CHECK("the child dies of SIGSEGV and leaves a core",
          WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
    snprintf(name, sizeof(name), "core.%d", pid);
    MUST(rename(name, "core"));
    return finish();
}
