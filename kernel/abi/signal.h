/*
 * signal.h - signals as Linux x86-64 numbers and lays them out (asm/signal.h,
 * asm-generic/siginfo.h, asm/sigcontext.h).
 */
#pragma once

#include "kernel/lib/types.h"

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGSTKFLT 16
#define SIGCHLD   17
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPWR    30
#define SIGSYS    31
#define SIGRTMIN  32
#define NSIG      64

typedef uint64_t sigset_t; /* bit n-1: signal n */

#define SIGBIT(n) (1UL << ((n)-1))

#define SIG_DFL 0UL
#define SIG_IGN 1UL

#define SA_NOCLDSTOP 0x00000001UL
#define SA_NOCLDWAIT 0x00000002UL
#define SA_SIGINFO   0x00000004UL
#define SA_RESTORER  0x04000000UL
#define SA_ONSTACK   0x08000000UL
#define SA_RESTART   0x10000000UL
#define SA_NODEFER   0x40000000UL
#define SA_RESETHAND 0x80000000UL

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SS_ONSTACK  1
#define SS_DISABLE  2
#define MINSIGSTKSZ 2048

#define SI_USER   0
#define SI_KERNEL 0x80
#define SI_TKILL  (-6)

#define ILL_ILLOPN    2
#define FPE_INTDIV    1
#define FPE_FLTDIV    3
#define FPE_FLTOVF    4
#define FPE_FLTUND    5
#define FPE_FLTRES    6
#define FPE_FLTINV    7
#define SEGV_MAPERR   1
#define SEGV_ACCERR   2
#define BUS_ADRALN    1
#define BUS_ADRERR    2
#define TRAP_BRKPT    1
#define TRAP_TRACE    2
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

struct sigaction {
    uint64_t handler; /* SIG_DFL, SIG_IGN or an address */
    uint64_t flags;
    uint64_t restorer;
    sigset_t mask;
};

struct siginfo {
    int32_t signo, err, code, pad;
    union {
        struct {
            int32_t pid;
            uint32_t uid;
            uint64_t value; /* of sigqueue; status of SIGCHLD */
            int64_t utime, stime;
        } kill;
        struct {
            int32_t pid;
            uint32_t uid;
            int32_t status, pad;
            int64_t utime, stime;
        } child;
        struct {
            uint64_t addr;
        } fault;
        uint8_t bytes[112];
    };
};

struct sigstack {
    uint64_t sp;
    int32_t flags, pad;
    uint64_t size;
};

struct sigcontext {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2;
    uint64_t fpstate; /* address of the XSAVE area */
    uint64_t reserved[8];
};

#define UC_FP_XSTATE         1UL
#define UC_SIGCONTEXT_SS     2UL
#define UC_STRICT_RESTORE_SS 4UL

struct ucontext {
    uint64_t flags, link;
    struct sigstack stack;
    struct sigcontext mcontext;
    sigset_t mask;
};

struct rt_sigframe {
    uint64_t return_address; /* sa_restorer */
    struct ucontext uc;
    struct siginfo info;
};

STATIC_ASSERT(sizeof(struct siginfo) == 128);
STATIC_ASSERT(sizeof(struct sigcontext) == 256);
STATIC_ASSERT(sizeof(struct ucontext) == 304);

/* In the bytes of the FXSAVE image that software may use: what the area holds. */
#define FP_XSTATE_MAGIC1      0x46505853U
#define FP_XSTATE_MAGIC2      0x46505845U
#define FP_SW_RESERVED_OFFSET 464

struct fp_sw_bytes {
    uint32_t magic1, extended_size;
    uint64_t xfeatures;
    uint32_t xstate_size, padding[7];
};

STATIC_ASSERT(sizeof(struct fp_sw_bytes) == 48);
