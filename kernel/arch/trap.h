/*
 * trap.h - whatever interrupts the flow of a program: exceptions, interrupts, system calls.
 *
 * The assembly stubs save all registers into a struct trapframe on the thread's
 * kernel stack and call one C function; what is done about a trap is decided by
 * handlers that the layers above register here.
 */
#pragma once

#include "kernel/lib/types.h"

/* Linux's struct user_regs_struct up to rdi, so that cores and signal frames copy it. */
struct trapframe {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint64_t vector; /* TRAP_SYSCALL for a system call */
    uint64_t error;  /* error code; for a system call its number, kept for restarting it */
    uint64_t rip, cs, rflags, rsp, ss;
};

enum {
    TRAP_DE = 0,
    TRAP_DB = 1,
    TRAP_NMI = 2,
    TRAP_BP = 3,
    TRAP_OF = 4,
    TRAP_BR = 5,
    TRAP_UD = 6,
    TRAP_NM = 7,
    TRAP_DF = 8,
    TRAP_TS = 10,
    TRAP_NP = 11,
    TRAP_SS = 12,
    TRAP_GP = 13,
    TRAP_PF = 14,
    TRAP_MF = 16,
    TRAP_AC = 17,
    TRAP_MC = 18,
    TRAP_XM = 19,
    TRAP_VE = 20,
    TRAP_CP = 21,
    IRQ_BASE = 32,      /* first vector that devices may have */
    IRQ_TIMER = 0xf0,   /* local APIC timer */
    IRQ_TLB = 0xf1,     /* TLB shootdown */
    IRQ_RESCHED = 0xf2, /* look at the run queue */
    IRQ_HOLD = 0xf3,    /* stand still for a while */
    IRQ_SPURIOUS = 0xff,
    TRAP_SYSCALL = 0x100,
};

/* The error code of a page fault. */
#define PF_PRESENT  (1U << 0)
#define PF_WRITE    (1U << 1)
#define PF_USER     (1U << 2)
#define PF_RESERVED (1U << 3)
#define PF_FETCH    (1U << 4)
#define PF_KEY      (1U << 5)

#define SEL_KERNEL_CODE 0x08
#define SEL_KERNEL_DATA 0x10
#define SEL_USER_DATA   0x1b /* the order that SYSRET wants: data, then code */
#define SEL_USER_CODE   0x23

#define RFLAGS_TF (1UL << 8)
#define RFLAGS_IF (1UL << 9)
#define RFLAGS_DF (1UL << 10)
#define RFLAGS_NT (1UL << 14)
#define RFLAGS_RF (1UL << 16)
#define RFLAGS_AC (1UL << 18)

/* A fault's side is decided by the saved CS alone, never by the error code's U bit. */
static inline bool
trap_from_user(const struct trapframe *tf)
{
    return (tf->cs & 3) == 3;
}

typedef void (*trap_handler)(struct trapframe *tf);

/*
 * trap_set_handler - who deals with a vector.
 *
 *   - Interrupts: called with interrupts off, must not sleep.
 *   - Exceptions of user mode: called with interrupts on, may sleep.
 *   - #PF is the only one that is also called for kernel mode: for uaccess and addresses below
 *     USER_TOP, with interrupts as they were before the fault.  It reads CR2 before it does
 *     anything that may sleep.
 *   - NMI, #MC: on a small stack of their own, with interrupts off.
 *
 * Exceptions without a handler panic.
 */
void trap_set_handler(unsigned vector, trap_handler h);

/*
 * The two calls upwards: one for each system call, one before each return to user mode.
 *
 * The first runs with interrupts on.  The call's number is in tf->error and in tf->rax; the
 * result goes into tf->rax.
 *
 * The second does signals and rescheduling.  It is called with interrupts off and returns with
 * them off; in between it may turn them on and sleep, and then must look again whether there
 * is something to do.
 */
void trap_set_syscall_handler(trap_handler h);
void trap_set_return_handler(trap_handler h);

/* Of a device: gets @arg, runs with interrupts off, must not sleep; EOI is done for it. */
typedef void (*irq_handler)(void *arg);

/* irq_alloc - a free vector for a message-signalled interrupt. Returns it, or -ENOSPC. */
int irq_alloc(irq_handler h, void *arg);

/*
 * irq_route_isa - route an ISA interrupt line through the I/O APIC, by MADT's overrides.
 * @line: 0 .. 15.
 * Returns: 0, or -ENOSPC.
 */
int irq_route_isa(unsigned line, irq_handler h, void *arg) MUST_CHECK;

/*
 * trap_return_to_user - leave the kernel through @tf: a thread's first entry, and exec.
 * @tf: the frame at the very top of the current thread's kernel stack; context_init leaves its
 *      place free.  cs and ss are the user's selectors, rflags has IF and no privileged bit.
 *      A rip that is not canonical becomes a #GP of the user's.
 */
void trap_return_to_user(struct trapframe *tf) NORETURN;

/* Prints registers, and for a page fault the decoded error code. */
void trap_print(const struct trapframe *tf);

/* True, with tf->rip moved to the fix-up, if the fault was on an instruction of uaccess.asm. */
bool trap_fixup(struct trapframe *tf);

/* True if the fault was on an instruction that has a fix-up: one that reaches for user memory. */
bool trap_is_uaccess(const struct trapframe *tf);
