/*
 * core.h - the structures of an ELF core file: what Linux writes and gdb reads (linux/elfcore.h,
 * sys/procfs.h, sys/user.h; the numbers of notes: linux/elf.h).
 */
#pragma once

#include "kernel/abi/time.h"
#include "kernel/lib/types.h"

#define NT_PRSTATUS   1
#define NT_FPREGSET   2
#define NT_PRPSINFO   3
#define NT_AUXV       6
#define NT_X86_XSTATE 0x202
#define NT_SIGINFO    0x53494749
#define NT_FILE       0x46494c45

/* What /proc/PID/coredump_filter lets into a core. */
#define CORE_ANON_PRIVATE   1U
#define CORE_ANON_SHARED    2U
#define CORE_MAPPED_PRIVATE 4U
#define CORE_MAPPED_SHARED  8U
#define CORE_ELF_HEADERS    16U
#define CORE_FILTER_DEFAULT 0x33U  /* 0x20: huge pages, of which there are none */
#define CORE_FILTER_ALL     0x1ffU /* bits that can be set */

struct elf_note {
    uint32_t namesz, descsz, type;
    char name[8]; /* namesz bytes, filled up to a multiple of 4 */
};

struct user_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi, orig_rax;
    uint64_t rip, cs, rflags, rsp, ss;
    uint64_t fs_base, gs_base, ds, es, fs, gs;
};

struct elf_prstatus {
    int32_t signo, code, err; /* signo alone is filled in, as on Linux */
    int16_t cursig, pad;
    uint64_t sigpend, sighold;
    int32_t pid, ppid, pgrp, sid;
    struct timeval utime, stime, cutime, cstime;
    struct user_regs regs;
    int32_t fpvalid, pad2;
};

struct elf_prpsinfo {
    char state, sname, zombie, nice;
    uint64_t flag;
    uint32_t uid, gid;
    int32_t pid, ppid, pgrp, sid;
    char fname[16];
    char psargs[80];
};

STATIC_ASSERT(sizeof(struct elf_prstatus) == 336);
STATIC_ASSERT(sizeof(struct elf_prpsinfo) == 136);
