/*
 * threads_fpu.c - eight threads in two processes keep all their x87, SSE and AVX registers,
 * rounding modes and FS bases over 100,000 switches.
 *
 * AVX is used where the processor says that it is there; the transcript is the same.
 */
#include "threads.h"

#define THREADS 4
#define YIELDS  12500

static int have_avx;
static __thread uint64_t mine[16][4]; /* what each register holds; XMM is its low half */
static __thread uint64_t got[16][4];
static atomic_int wrong;

#define EACH(op)                                                                            \
    op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) \
        op(14) op(15)
#define LOAD(n)      "movups 32*" #n "(%1), %%xmm" #n "\n"
#define STORE(n)     "movups %%xmm" #n ", 32*" #n "(%2)\n"
#define AVX_LOAD(n)  "vmovups 32*" #n "(%1), %%ymm" #n "\n"
#define AVX_STORE(n) "vmovups %%ymm" #n ", 32*" #n "(%2)\n"
#define XMMS                                                                                 \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* Load all registers, let others run, store them. */
static void
yield_with_sse(void)
{
    long number = SYS_sched_yield;

    __asm__ volatile(EACH(LOAD) "syscall\n" EACH(STORE)
                     : "+a"(number)
                     : "r"(mine), "r"(got)
                     : "rcx", "r11", "memory", XMMS);
}

__attribute__((target("avx"))) static void
yield_with_avx(void)
{
    long number = SYS_sched_yield;

    __asm__ volatile(EACH(AVX_LOAD) "syscall\n" EACH(AVX_STORE) "vzeroupper\n"
                     : "+a"(number)
                     : "r"(mine), "r"(got)
                     : "rcx", "r11", "memory", XMMS);
}

/* The whole x87 stack: eight numbers of this thread, through a switch and back. */
static int
yield_with_x87(int id)
{
    long double numbers[8];
    long number = SYS_sched_yield;
    int same = 1;

    for (int i = 0; i < 8; i++) {
        int n = id * 1000 + i;
        __asm__ volatile("fildl %0" : : "m"(n));
    }
    __asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
    for (int i = 7; i >= 0; i--)
        __asm__ volatile("fstpt %0" : "=m"(numbers[i]));
    for (int i = 0; i < 8; i++)
        same &= numbers[i] == id * 1000 + i;
    return same;
}

static int
same_registers(void)
{
    size_t width = have_avx ? 32 : 16;

    for (int i = 0; i < 16; i++)
        if (memcmp(mine[i], got[i], width) != 0)
            return 0;
    return 1;
}

static int
same_fs(uintptr_t fs)
{
    uintptr_t now = 0;

    MUST(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &now));
    return now == fs;
}

static void *
work(void *arg)
{
    int id = (int)(intptr_t)arg;
    unsigned mxcsr = 0x1f80 | (unsigned)(id & 3) << 13, mxcsr_now = 0;
    uint16_t control = (uint16_t)(0x37f | (id >> 1 & 3) << 10), control_now = 0;
    uintptr_t fs = 0;

    MUST(syscall(SYS_arch_prctl, 0x1003, &fs));
    __asm__ volatile("ldmxcsr %0\n fldcw %1" : : "m"(mxcsr), "m"(control));
    for (int i = 0; i < YIELDS; i += 2) {
        for (int k = 0; k < 64; k++)
            mine[k / 4][k % 4] = (uint64_t)id << 56 | (uint64_t)i << 16 | (uint64_t)k;
        have_avx ? yield_with_avx() : yield_with_sse();
        wrong += !same_registers() || !yield_with_x87(id);
        if (i % 128 == 0)
            wrong += !same_fs(fs);
    }
    __asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(mxcsr_now), "=m"(control_now));
    wrong += (mxcsr_now & 0xffc0) != (mxcsr & 0xffc0) || control_now != control;
    return arg;
}

static void
four_threads(void *first)
{
    pthread_t t[THREADS];

    for (intptr_t i = 0; i < THREADS; i++)
        t[i] = start(work, (void *)((intptr_t)first + i));
    join_all(t, THREADS);
    CHECK("no register of four threads changed", wrong == 0);
}

int
main(void)
{
    have_avx = __builtin_cpu_supports("avx") != 0;
    pid_t pid = (pid_t)MUST(fork());
    four_threads(pid == 0 ? (void *)5 : (void *)1);
    if (pid == 0)
        _exit(finish());
    show_status("the other process", reap(pid));
    return finish();
}
