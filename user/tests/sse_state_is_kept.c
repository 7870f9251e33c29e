/*
 * sse_state_is_kept.c - vector registers and rounding modes belong to a process.
 *
 * Four processes fill all XMM registers (and the upper halves of YMM where the processor
 * has AVX) with values of their own, yield many times, and look; a signal handler uses
 * them as well.  With or without AVX the transcript is the same.
 */
#include "test.h"

#include <cpuid.h>
#include <immintrin.h>

static int have_avx;

static void
handler(int sig)
{
    (void)sig;
    __asm__ volatile("pcmpeqb %%xmm0, %%xmm0\n pcmpeqb %%xmm7, %%xmm7\n"
                     "pcmpeqb %%xmm15, %%xmm15"
                     :
                     :
                     : "xmm0", "xmm7", "xmm15");
    if (have_avx)
        __asm__ volatile("vxorps %%ymm1, %%ymm1, %%ymm1\n vxorps %%ymm15, %%ymm15, %%ymm15"
                         :
                         :
                         : "xmm1", "xmm15");
}

/* Load, make a system call, store; the call is where another process may run. */
static int
sse_round(const uint64_t in[4], long number, long a, long b)
{
    uint64_t out[6];

    __asm__ volatile("movups (%1), %%xmm0\n movups 16(%1), %%xmm7\n movups (%1), %%xmm15\n"
                     "syscall\n"
                     "movups %%xmm0, (%2)\n movups %%xmm7, 16(%2)\n movups %%xmm15, 32(%2)\n"
                     : "+a"(number)
                     : "r"(in), "r"(out), "D"(a), "S"(b)
                     : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15");
    return memcmp(in, out, 32) == 0 && memcmp(in, out + 4, 16) == 0;
}

__attribute__((target("avx"))) static int
avx_round(const uint64_t in[4], long number, long a, long b)
{
    uint64_t out[8];

    __asm__ volatile("vmovups (%1), %%ymm1\n vmovups (%1), %%ymm15\n"
                     "syscall\n"
                     "vmovups %%ymm1, (%2)\n vmovups %%ymm15, 32(%2)\n vzeroupper\n"
                     : "+a"(number)
                     : "r"(in), "r"(out), "D"(a), "S"(b)
                     : "rcx", "r11", "memory", "xmm1", "xmm15");
    return memcmp(in, out, 32) == 0 && memcmp(in, out + 4, 32) == 0;
}

static int
work(int id)
{
    uint64_t in[4], n = (uint64_t)id;
    long pid = getpid();
    int kept = 1;
    unsigned mxcsr = 0x1f80 | (unsigned)(n & 3) << 13, control = 0x37f | (unsigned)(n & 3)
                                                                             << 10;
    unsigned got = 0;
    uint16_t word = (uint16_t)control, got_word = 0;

    __asm__ volatile("ldmxcsr %0\n fldcw %1" : : "m"(mxcsr), "m"(word));
    signal(SIGUSR1, handler);
    for (uint64_t i = 0; i < 200; i++) {
        for (int k = 0; k < 4; k++)
            in[k] = n * 0x0101010101010101 + i * 1000 + (uint64_t)k;
        kept &= sse_round(in, SYS_sched_yield, 0, 0);
        kept &= sse_round(in, SYS_kill, pid, SIGUSR1);
        if (have_avx) {
            kept &= avx_round(in, SYS_sched_yield, 0, 0);
            kept &= avx_round(in, SYS_kill, pid, SIGUSR1);
        }
    }
    __asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(got), "=m"(got_word));
    return kept && (got & 0xffc0) == (mxcsr & 0xffc0) && got_word == word;
}

int
main(void)
{
    pid_t pid[4];

    have_avx = __builtin_cpu_supports("avx") != 0;
    for (int i = 0; i < 4; i++) {
        pid[i] = (pid_t)MUST(fork());
        if (pid[i] == 0)
            _exit(work(i + 1) ? 10 + i : 1);
    }
    for (int i = 0; i < 4; i++)
        show_status("process", reap(pid[i]));
    return finish();
}
