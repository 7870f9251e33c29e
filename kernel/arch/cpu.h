/*
 * cpu.h - what each processor owns, and the instructions that C has no words for.
 *
 * GS points to this CPU's struct cpu while the kernel runs; the entry stubs
 * swap it with the user's.  The first fields are used by assembly: the .asm files of boot/
 * and arch/ know their offsets, and the STATIC_ASSERTs below keep them honest.
 */
#pragma once

#include "kernel/arch/lockorder.h"
#include "kernel/lib/types.h"

#define CPU_MAX 8

#define MSR_GS_BASE 0xc0000101 /* what GS points to: in the kernel struct cpu */

struct thread;
struct pagetable;

struct cpu {
    struct cpu *self;     /* 0:  so that one load finds it */
    vaddr_t kernel_stack; /* 8:  top of the current thread's kernel stack: where SYSCALL goes */
    uint64_t user_rsp;    /* 16: scratch of the system-call entry */
    struct thread *current; /* 24: the thread that runs here */
    unsigned id;            /* 0 .. CPU_MAX-1 */
    unsigned apic_id;
    unsigned irq_off_depth; /* irq_push_off nesting */
    unsigned irq_was_on;    /* RFLAGS_IF if they are to be on again at depth 0 */
    unsigned irq_depth;     /* > 0 while an interrupt handler runs */
    bool need_resched; /* set by the timer and by wake-ups: switch before going back to user */
    int trace_id;      /* of the current thread, see kernel/trace/trace.h */
    struct thread *idle;
    struct thread *reap; /* ended, and still on its stack until the switch away is over */
    struct thread
        *emigrant; /* may not run here any more: goes to another CPU after the switch */
    struct pagetable *loaded;          /* whose root CR3 holds; NULL: the kernel's own */
    uint64_t tlb_messages;             /* that came: IRQ_TLB; for who looks from outside */
    uint64_t stopped_rip, stopped_rbp; /* where a panic of another CPU stopped this one */
    struct locks_held locks;           /* spin locks; in debug builds only */
    void *arch;                        /* GDT, TSS and IST stacks: arch's own */
};

STATIC_ASSERT(offsetof(struct cpu, kernel_stack) == 8);
STATIC_ASSERT(offsetof(struct cpu, user_rsp) == 16);
STATIC_ASSERT(offsetof(struct cpu, current) == 24);

/*
 * The CPU that this runs on.  Stable only with interrupts off or in a
 * thread that cannot migrate.
 */
static inline struct cpu *
this_cpu(void)
{
    struct cpu *c;

    __asm__ volatile("movq %%gs:0, %0" : "=r"(c));
    return c;
}

static inline struct thread *
current_thread(void)
{
    struct thread *t;

    __asm__ volatile("movq %%gs:24, %0" : "=r"(t));
    return t;
}

/* The running CPUs, in the order they started; [0] is the boot CPU. */
extern struct cpu *cpus[CPU_MAX];
extern unsigned cpu_count;

/* What CPUID offered and the kernel turned on; filled in before kmain(). */
struct cpu_features {
    bool smep, smap, umip, fsgsbase, xsave, rdrand, rdseed;
    uint32_t hwcap;  /* CPUID.1:EDX, for AT_HWCAP */
    uint32_t hwcap2; /* AT_HWCAP2: bit 1 = FSGSBASE usable */
};
extern struct cpu_features cpu_features;

/*
 * cpu_early_init - make this_cpu(), spin locks, the log, traps and panics work on the boot CPU.
 * The first thing that boot_main() does.  Fills in cpu_features and cpus[0].
 */
void cpu_early_init(void);

/*
 * cpu_init - GDT, TSS, IDT, control registers, MSRs and FPU of the CPU that calls it.
 * The boot CPU has had it from cpu_early_init() and may do it again with another @c.
 * @c:  becomes this_cpu(); cleared first.  @id: 0 .. CPU_MAX-1.
 * Interrupts off, no spin lock held.
 * cpu_online - from now on it is in cpus[], and others may send it interrupts and threads.
 */
void cpu_init(struct cpu *c, unsigned id);
void cpu_online(struct cpu *c);

/*
 * cpu_set_kernel_stack - where the next entry from user mode puts its frame.
 * @top: 16-byte-aligned end of the thread's kernel stack (goes
 *       to TSS.RSP0 and cpu->kernel_stack).
 */
void cpu_set_kernel_stack(vaddr_t top);

/* The user's FS and GS bases of the running thread. @base must be canonical. */
void cpu_set_user_fs(uint64_t base);
uint64_t cpu_get_user_fs(void);
void cpu_set_user_gs(uint64_t base);
uint64_t cpu_get_user_gs(void);

/*
 * Writes one code to QEMU's isa-debug-exit (port 0xf4), then tries ACPI, then halts. Exit
 * status of QEMU: (code << 1) | 1.
 */
void machine_exit(unsigned code) NORETURN;
#define EXIT_CODE_OK    0x10 /* an orderly end: the last word was said over the host link */
#define EXIT_CODE_PANIC 0x11

/* Restart the machine (keyboard controller, then triple fault). */
void machine_reboot(void) NORETURN;

/* A random 64-bit number from RDSEED or RDRAND, if there is one, and the TSC's jitter. */
uint64_t cpu_entropy(void);

static inline void
cpu_relax(void)
{
    __asm__ volatile("pause");
}

/* Interrupts on and wait for one, with nothing in between; returns with them off. */
static inline void
cpu_halt_until_interrupt(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

static inline uint64_t
read_cr2(void)
{
    uint64_t v;

    __asm__ volatile("movq %%cr2, %0" : "=r"(v));
    return v;
}

static inline uint64_t
read_cr3(void)
{
    uint64_t v;

    __asm__ volatile("movq %%cr3, %0" : "=r"(v));
    return v;
}

static inline void
write_cr3(uint64_t v)
{
    __asm__ volatile("movq %0, %%cr3" ::"r"(v) : "memory");
}

static inline void
invlpg(vaddr_t va)
{
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

static inline uint64_t
rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32) | lo;
}

static inline uint64_t
rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return ((uint64_t)hi << 32) | lo;
}

static inline void
wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline void
cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(sub));
}
