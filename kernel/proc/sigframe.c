/*
 * sigframe.c - the stack frame of a signal handler, made and undone.
 *
 * The frame is Linux's struct rt_sigframe, because libc and unwinders read it:
 *
 *     old rsp -> |                      |
 *                | red zone, 128 bytes  |   System V ABI AMD64 3.2.2
 *                | XSAVE area + magic   |   64-byte aligned
 *                | siginfo              |
 *                | ucontext             |
 *     new rsp -> | sa_restorer          |   the handler "returns" there, which calls rt_sigreturn
 *
 * What comes back from the program's stack is judged before it is believed: code
 * and stack selectors are ours, RFLAGS keeps only what user mode may set, and
 * the XSAVE area is made safe.
 */
#include "kernel/proc/signal.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/fpu.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"

#define RED_ZONE 128

/* Flags that a program may have: CF PF AF ZF SF TF DF OF NT RF AC ID. */
#define RFLAGS_USER 0x254dd5UL

static bool
on_altstack(const struct task *t, uint64_t rsp)
{
    return !(t->altstack.flags & SS_DISABLE) && rsp - t->altstack.sp <= t->altstack.size &&
           rsp > t->altstack.sp;
}

/* Saves the FPU state below *sp, in the form that programs know. Returns 0 or -EFAULT. */
static int
put_fpu(uint64_t *sp)
{
    struct thread *t = current_thread();
    uint32_t size = fpu_size();
    struct fp_sw_bytes sw = {
        .magic1 = FP_XSTATE_MAGIC1,
        .extended_size = size + sizeof(uint32_t),
        .xfeatures = fpu_features(),
        .xstate_size = size,
    };
    uint32_t magic2 = FP_XSTATE_MAGIC2;

    *sp = ROUND_DOWN(*sp - sw.extended_size, FPU_ALIGN);
    fpu_save(t->fpu);
    if (copy_to_user(*sp, t->fpu, size) != 0)
        return -EFAULT;
    if (fpu_features() == 0)
        return 0;
    if (copy_to_user(*sp + FP_SW_RESERVED_OFFSET, &sw, sizeof(sw)) != 0)
        return -EFAULT;
    return copy_to_user(*sp + size, &magic2, sizeof(magic2));
}

static void
fill_context(struct sigcontext *c, const struct trapframe *tf, uint64_t fpstate,
             const struct siginfo *info)
{
    *c = (struct sigcontext){
        .r8 = tf->r8,
        .r9 = tf->r9,
        .r10 = tf->r10,
        .r11 = tf->r11,
        .r12 = tf->r12,
        .r13 = tf->r13,
        .r14 = tf->r14,
        .r15 = tf->r15,
        .rdi = tf->rdi,
        .rsi = tf->rsi,
        .rbp = tf->rbp,
        .rbx = tf->rbx,
        .rdx = tf->rdx,
        .rax = tf->rax,
        .rcx = tf->rcx,
        .rsp = tf->rsp,
        .rip = tf->rip,
        .rflags = tf->rflags,
        .cs = tf->cs,
        .ss = tf->ss,
        .fpstate = fpstate,
    };
    if (tf->vector < IRQ_BASE) {
        c->trapno = tf->vector;
        c->err =
            tf->vector == TRAP_GP ? 0 : tf->error; /* a #GP's code may tell about the kernel */
        if (tf->vector == TRAP_PF && info->fault.addr >= USER_TOP)
            c->err |= PF_PRESENT; /* so may a #PF's: as if all of it were there, as on Linux */
    }
    if (info->signo == SIGSEGV || info->signo == SIGBUS)
        c->cr2 = info->fault.addr;
}

int
sigframe_build(struct trapframe *tf, const struct sigaction *sa, const struct siginfo *info,
               sigset_t mask)
{
    struct task *t = current_task();
    bool alternate = on_altstack(t, tf->rsp);
    uint64_t sp = tf->rsp - RED_ZONE;

    if (!(sa->flags & SA_RESTORER))
        return -EFAULT; /* Linux has no way back without one either */
    // LAB stack/4 begin
    if ((sa->flags & SA_ONSTACK) && !(t->altstack.flags & SS_DISABLE) && !alternate) {
        sp = t->altstack.sp + t->altstack.size;
        alternate = true;
    }
    // LAB end
    if (put_fpu(&sp) != 0)
        return -EFAULT;

    struct rt_sigframe frame = {
        .return_address = sa->restorer,
        .uc.flags =
            (fpu_features() != 0 ? UC_FP_XSTATE : 0) | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
        .uc.stack = t->altstack,
        .uc.mask = mask,
        .info = *info,
    };

    if (on_altstack(t, tf->rsp))
        frame.uc.stack.flags |= SS_ONSTACK;
    fill_context(&frame.uc.mcontext, tf, sp, info);
    /* As if by a call: rsp + 8 is a multiple of 16. */
    sp = ROUND_DOWN(sp - sizeof(frame), 16) - 8;
    /* What lies below an alternate stack is no stack: it must not be overwritten. */
    if ((alternate && !on_altstack(t, sp)) || copy_to_user(sp, &frame, sizeof(frame)) != 0)
        return -EFAULT;

    tf->rdi = info->signo;
    tf->rsi = sp + offsetof(struct rt_sigframe, info);
    tf->rdx = sp + offsetof(struct rt_sigframe, uc);
    tf->rax = 0;
    tf->rsp = sp;
    tf->rip = sa->handler;
    tf->rflags &= ~(RFLAGS_DF | RFLAGS_TF | RFLAGS_RF | RFLAGS_AC);
    tf->cs = SEL_USER_CODE;
    tf->ss = SEL_USER_DATA;
    tf->vector = 0; /* no system call any more: nothing to restart */
    return 0;
}

/* Loads the FPU state that the frame points to. @addr == 0: the state of a new program. */
static int
take_fpu(uint64_t addr)
{
    struct thread *t = current_thread();
    int err;

    if (addr == 0) {
        fpu_init_area(t->fpu);
        fpu_restore(t->fpu);
        return 0;
    }
    if (addr % FPU_ALIGN != 0)
        return -EFAULT;

    /* The thread's own area must not hold unjudged bytes when a fault makes us sleep. */
    void *area;

    while ((area = kmalloc(MAX(fpu_size(), FPU_ALIGN))) == NULL)
        if (reclaim_wait(t->space) != 0)
            return -EFAULT; /* the process is being ended */
    err = copy_from_user(area, addr, fpu_size());
    if (err == 0)
        err = fpu_sanitize(area) != 0 ? -EFAULT : 0;
    if (err == 0) {
        memcpy(t->fpu, area, fpu_size());
        fpu_restore(t->fpu);
    }
    kfree(area);
    return err;
}

int
sigframe_restore(struct trapframe *tf)
{
    struct task *t = current_task();
    struct ucontext uc;
    const struct sigcontext *c = &uc.mcontext;

    /* The handler's "ret" has taken the return address off. */
    if (copy_from_user(&uc, tf->rsp - 8 + offsetof(struct rt_sigframe, uc), sizeof(uc)) != 0)
        return -EFAULT;
    if (take_fpu(c->fpstate) != 0)
        return -EFAULT;

    tf->r8 = c->r8, tf->r9 = c->r9, tf->r10 = c->r10, tf->r11 = c->r11;
    tf->r12 = c->r12, tf->r13 = c->r13, tf->r14 = c->r14, tf->r15 = c->r15;
    tf->rdi = c->rdi, tf->rsi = c->rsi, tf->rbp = c->rbp, tf->rbx = c->rbx;
    tf->rdx = c->rdx, tf->rax = c->rax, tf->rcx = c->rcx, tf->rsp = c->rsp;
    tf->rip = c->rip;
    tf->rflags = (tf->rflags & ~RFLAGS_USER) | (c->rflags & RFLAGS_USER) | RFLAGS_IF;
    tf->cs = SEL_USER_CODE;
    tf->ss = SEL_USER_DATA;
    tf->vector = 0;
    signal_set_mask(uc.mask);
    if (!on_altstack(t, tf->rsp) || !(uc.stack.flags & SS_ONSTACK)) {
        uc.stack.flags &= (int32_t)~SS_ONSTACK;
        if (uc.stack.flags == 0 || uc.stack.flags == SS_DISABLE)
            t->altstack = uc.stack;
    }
    return 0;
}
