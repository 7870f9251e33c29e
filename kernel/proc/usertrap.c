/*
 * usertrap.c - what programs do wrong, and the way back to them.
 *
 * The processor's exceptions become page faults that vm_fault() mends, or
 * signals.  A page fault of the kernel itself is expected in one place only:
 * uaccess, at a user address; everything else is a broken kernel.
 *
 * Whose fault it is is decided by the saved CS.  QEMU's TCG lets IRET and RETF of
 * user mode read with supervisor rights, so the error code's U bit lies at times; and
 * what such a fault tells about kernel addresses is not passed on to the program.
 *
 * Sources: Intel SDM vol. 3A 6.15 "Exception and Interrupt Reference"; signal codes: sigaction(2).
 */
#include "kernel/proc/process.h"

#include "kernel/abi/mman.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/lockorder.h"
#include "kernel/arch/panic.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/sched/sched.h"
#include "mm/fault.h"
#include "mm/space.h"

/* True if the program wants to know: it has a handler, so the log keeps quiet. */
static bool
is_caught(int sig)
{
    const struct task *t = current_task();

    return t->process->actions[sig - 1].handler > SIG_IGN && !(t->blocked & SIGBIT(sig));
}

static void
raise(int sig, int code, uint64_t addr)
{
    struct siginfo info = {.signo = sig, .code = code, .fault = {.addr = addr}};

    signal_force(sig, &info);
}

/* One line that explains a bad access to the reader of the log. */
static void
explain(const struct trapframe *tf, vaddr_t va, unsigned access, enum fault_result why)
{
    char text[256];

    vm_explain(current_thread()->space, va, access, why, text, sizeof(text));
    kprintf("%s[%d]: %s; rip %#lx\n", current_thread()->name, current_process()->pid, text,
            tf->rip);
}

static void
user_page_fault(struct trapframe *tf, vaddr_t va, unsigned access)
{
    /*
     * An access with the kernel's rights (see above) that met a present
     * page would only fail again.
     */
    bool hopeless = va < USER_TOP && (tf->error & PF_PRESENT) && !(tf->error & PF_USER);
    enum fault_result r =
        hopeless ? FAULT_ACCERR
                 : vm_fault(current_thread()->space, va, access | FAULT_ERROR(tf->error));

    if (r == FAULT_DONE)
        return;
    if (r == FAULT_NOMEM) {
        /* Either it is being ended already, or it is the one that has to go. */
        if (!current_thread()->space->dying)
            explain(tf, va, access, r);
        signal_send(current_process(), SIGKILL, NULL);
        return;
    }
    // LAB fault/2 begin -- @kill
    int sig = r == FAULT_BUSERR ? SIGBUS : SIGSEGV;

    if (!is_caught(sig))
        explain(tf, va, access, r);
    /*
     * What lies in the kernel's half is not told: as on Linux, a non-canonical
     * address is a #GP and says 0.
     */
    raise(sig,
          r == FAULT_MAPERR   ? SEGV_MAPERR
          : r == FAULT_ACCERR ? SEGV_ACCERR
                              : BUS_ADRERR,
          va);
    // LAB end
}

/* uaccess touched a user page: mend it, or let uaccess return -EFAULT. */
static void
kernel_page_fault(struct trapframe *tf, vaddr_t va, unsigned access)
{
    struct thread *t = current_thread();
    bool hopeless =
        t->space == NULL || this_cpu()->irq_off_depth > 0 || !(tf->rflags & RFLAGS_IF);

    // LAB fault/3 begin -- @no_efault
    if (hopeless || vm_fault(t->space, va, access | FAULT_ERROR(tf->error)) != FAULT_DONE)
        (void)trap_fixup(tf);
    // LAB end
}

static void
on_page_fault(struct trapframe *tf)
{
    vaddr_t va = read_cr2();
    // LAB fault/1 begin -- unsigned access = PROT_WRITE; /* as if each access were a store */
    unsigned access = tf->error & PF_FETCH   ? PROT_EXEC
                      : tf->error & PF_WRITE ? PROT_WRITE
                                             : PROT_READ;
    // LAB end

    if (trap_from_user(tf))
        user_page_fault(tf, va, access);
    else
        kernel_page_fault(tf, va, access);
}

/* Which si_code an x87 or SSE exception has, by its status bits (unmasked ones). */
static int
fpe_code(const struct trapframe *tf)
{
    uint32_t status;

    if (tf->vector == TRAP_DE)
        return FPE_INTDIV;
    if (tf->vector == TRAP_MF) {
        uint16_t sw, cw;

        __asm__ volatile("fnstsw %0; fnstcw %1" : "=m"(sw), "=m"(cw));
        status = sw & ~cw;
    } else {
        __asm__ volatile("stmxcsr %0" : "=m"(status));
        status &= ~(status >> 7);
    }
    return status & 1    ? FPE_FLTINV
           : status & 4  ? FPE_FLTDIV
           : status & 8  ? FPE_FLTOVF
           : status & 18 ? FPE_FLTUND
           : status & 32 ? FPE_FLTRES
                         : 0;
}

static void
tell_exception(const struct trapframe *tf, int sig, const char *what)
{
    if (!is_caught(sig))
        kprintf("%s[%d]: %s; rip %#lx\n", current_thread()->name, current_process()->pid, what,
                tf->rip);
}

static void
on_arithmetic(struct trapframe *tf)
{
    tell_exception(tf, SIGFPE,
                   tf->vector == TRAP_DE ? "divided by zero, or the quotient did not fit"
                                         : "floating-point exception");
    raise(SIGFPE, fpe_code(tf), tf->rip);
}

static void
on_invalid_opcode(struct trapframe *tf)
{
    tell_exception(tf, SIGILL, "executed an instruction that does not exist");
    raise(SIGILL, ILL_ILLOPN, tf->rip);
}

static void
on_breakpoint(struct trapframe *tf)
{
    struct siginfo info = {.signo = SIGTRAP, .code = SI_KERNEL};

    tell_exception(tf, SIGTRAP, "reached a breakpoint (int3)");
    signal_force(SIGTRAP, &info);
}

static void
on_debug(struct trapframe *tf)
{
    tf->rflags &= ~RFLAGS_TF;
    raise(SIGTRAP, TRAP_TRACE, tf->rip);
}

/* #GP, #SS, #NP, #TS, #AC, #OF, #BR: a SIGSEGV from the kernel, with no address, as on Linux. */
static void
on_protection(struct trapframe *tf)
{
    struct siginfo info = {.signo = SIGSEGV, .code = SI_KERNEL};

    if (tf->vector == TRAP_AC) {
        raise(SIGBUS, BUS_ADRALN, 0);
        return;
    }
    tell_exception(
        tf, SIGSEGV,
        "general protection: a privileged instruction, or an address that is not canonical");
    signal_force(SIGSEGV, &info);
}

/* The last thing before user mode: signals, and who runs next. */
static void
on_return(struct trapframe *tf)
{
    struct thread *t = current_thread();

    while (unlikely(t->interrupted || t->task->restore_mask || this_cpu()->need_resched)) {
        __asm__ volatile("sti" ::: "memory");
        if (t->interrupted || t->task->restore_mask)
            signal_deliver(tf);
        sched_preempt();
        __asm__ volatile("cli" ::: "memory");
    }
    lock_holds_none("a return to user mode");
}

void
usertrap_init(void)
{
    static const uint8_t protection[] = {TRAP_OF, TRAP_BR, TRAP_TS, TRAP_NP, TRAP_SS,
                                         TRAP_GP, TRAP_AC, TRAP_NM, TRAP_VE, TRAP_CP};

    for (unsigned i = 0; i < ARRAY_SIZE(protection); i++)
        trap_set_handler(protection[i], on_protection);
    trap_set_handler(TRAP_PF, on_page_fault);
    trap_set_handler(TRAP_DE, on_arithmetic);
    trap_set_handler(TRAP_MF, on_arithmetic);
    trap_set_handler(TRAP_XM, on_arithmetic);
    trap_set_handler(TRAP_UD, on_invalid_opcode);
    trap_set_handler(TRAP_BP, on_breakpoint);
    trap_set_handler(TRAP_DB, on_debug);
    trap_set_return_handler(on_return);
}
