/*
 * trap.c - what entry.asm calls: sort out who a trap is for.
 *
 * Four ways in, which entry.asm tells apart by the saved CS and the vector:
 *
 *     trap_user      from user mode; handlers of exceptions run with interrupts on
 *     trap_kernel    from kernel mode; only #PF has a handler there, and that only for
 *                    uaccess.asm; all else is mended by a fix-up of it or is a panic
 *     trap_paranoid  NMI, #DF, #MC on their own stacks
 *     trap_bad_iret  the way out failed because of what the user's frame says
 *
 * The kernel is not preempted: an interrupt from kernel mode returns to where it struck.
 */
#include "kernel/arch/trap.h"

#include "kernel/arch/ap.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/irq.h"
#include "kernel/arch/panic.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/kmalloc.h"
#include "mm/layout.h"

/* Called by entry.asm. */
void trap_user(struct trapframe *tf);
void trap_kernel(struct trapframe *tf);
void trap_paranoid(struct trapframe *tf, uint64_t gs);
struct trapframe *trap_bad_iret(struct trapframe *tf);

static void
do_nothing(struct trapframe *tf UNUSED)
{
}

static void
no_syscalls(struct trapframe *tf)
{
    panic_trap(tf, "system call before there are any");
}

static trap_handler handlers[256];
trap_handler trap_syscall_handler = no_syscalls; /* entry.asm's */
trap_handler trap_return_handler = do_nothing;   /* entry.asm's */

struct fixup {
    uint64_t at, go_on;
};
extern const struct fixup ex_table_start[], ex_table_end[];

static const char *const exception_names[IRQ_BASE] = {
    [TRAP_DE] = "divide error",
    [TRAP_DB] = "debug exception",
    [TRAP_NMI] = "non-maskable interrupt",
    [TRAP_BP] = "breakpoint",
    [TRAP_OF] = "overflow",
    [TRAP_BR] = "bound range exceeded",
    [TRAP_UD] = "invalid opcode",
    [TRAP_NM] = "device not available",
    [TRAP_DF] = "double fault",
    [TRAP_TS] = "invalid TSS",
    [TRAP_NP] = "segment not present",
    [TRAP_SS] = "stack fault",
    [TRAP_GP] = "general protection fault",
    [TRAP_PF] = "page fault",
    [TRAP_MF] = "x87 floating-point error",
    [TRAP_AC] = "alignment check",
    [TRAP_MC] = "machine check",
    [TRAP_XM] = "SIMD floating-point exception",
    [TRAP_VE] = "virtualization exception",
    [TRAP_CP] = "control protection exception",
};

static const char *
trap_name(uint64_t vector)
{
    if (vector == TRAP_SYSCALL)
        return "system call";
    if (vector >= IRQ_BASE)
        return "interrupt";
    return exception_names[vector] != NULL ? exception_names[vector] : "reserved exception";
}

void
trap_set_handler(unsigned vector, trap_handler h)
{
    ASSERT(vector < ARRAY_SIZE(handlers));
    handlers[vector] = h;
}

void
trap_set_syscall_handler(trap_handler h)
{
    trap_syscall_handler = h;
}

void
trap_set_return_handler(trap_handler h)
{
    trap_return_handler = h;
}

bool
trap_is_uaccess(const struct trapframe *tf)
{
    for (const struct fixup *f = ex_table_start; f < ex_table_end; f++)
        if (f->at == tf->rip)
            return true;
    return false;
}

bool
trap_fixup(struct trapframe *tf)
{
    for (const struct fixup *f = ex_table_start; f != ex_table_end; f++)
        if (f->at == tf->rip) {
            tf->rip = f->go_on;
            return true;
        }
    return false;
}

static void
interrupt(struct trapframe *tf)
{
    struct cpu *c = this_cpu();

    c->irq_depth++;
    if (handlers[tf->vector] != NULL)
        irq_dispatch_cpu(tf, handlers[tf->vector]);
    else
        irq_dispatch(tf->vector);
    c->irq_depth--;
}

void
trap_user(struct trapframe *tf)
{
    if (tf->vector >= IRQ_BASE) {
        interrupt(tf);
        return;
    }
    trap_handler h = handlers[tf->vector];
    if (h == NULL)
        panic_trap(tf, "%s in user mode, and nobody to handle it", trap_name(tf->vector));
    __asm__ volatile("sti" ::: "memory");
    h(tf);
}

/* Without struct cpu nothing works, panic() neither: GS must hold it by now. */
static void NORETURN
panic_gs(const struct trapframe *tf, uint64_t gs)
{
    panic_trap(tf,
               "GS holds %#lx, not this CPU's struct cpu: a swapgs is missing or one too many",
               gs);
}

/*
 * A page fault that is no uaccess's is a mistake of the kernel's.  It is told here, before the
 * handler is called: the mistake may be the handler's own, and it would come here without end.
 */
static void NORETURN
panic_page_fault(const struct trapframe *tf)
{
    uint64_t va = read_cr2(), gs = rdmsr(MSR_GS_BASE), offset;
    const char *name = symbol_find(tf->rip, &offset);

    if (gs < KERNEL_HALF) {
        __asm__ volatile("swapgs" ::: "memory");
        panic_gs(tf, gs);
    }
    if (name != NULL && name == symbol_find((uint64_t)handlers[TRAP_PF], &offset))
        panic_trap(tf, "page fault in the handler of page faults, at %#lx", va);
    if (va < USER_TOP)
        panic_trap(tf, "the kernel used the user address %#lx outside of uaccess", va);
    panic_trap(tf, "page fault in the kernel at %#lx", va);
}

/*
 * CR2 stays what it is until the handler sleeps: interrupt handlers do not fault, and nothing
 * preempts the kernel.
 */
static void
kernel_page_fault(struct trapframe *tf)
{
    if (!trap_is_uaccess(tf) || read_cr2() >= USER_TOP)
        panic_page_fault(tf);
    if (handlers[TRAP_PF] == NULL)
        panic_trap(tf, "page fault in the kernel, and nobody to handle it");
    if (tf->rflags & RFLAGS_IF)
        __asm__ volatile("sti" ::: "memory");
    handlers[TRAP_PF](tf);
    __asm__ volatile("cli" ::: "memory");
}

/* With DEBUG=1, what was a pointer in memory that kfree() took back. */
static bool
holds_freed(const struct trapframe *tf)
{
    const uint64_t *r = &tf->r15;

    for (; r <= &tf->rdi; r++)
        if (*r == KMALLOC_FREED)
            return true;
    return false;
}

static void NORETURN
panic_exception(const struct trapframe *tf)
{
    if (tf->vector == TRAP_GP && holds_freed(tf))
        panic_trap(tf, "the kernel followed a pointer out of memory that was freed");
    panic_trap(tf, "%s in the kernel", trap_name(tf->vector));
}

void
trap_kernel(struct trapframe *tf)
{
    if (tf->vector >= IRQ_BASE)
        interrupt(tf);
    else if (tf->vector == TRAP_PF)
        kernel_page_fault(tf);
    else if (!trap_fixup(tf))
        panic_exception(tf);
}

/*
 * A push below the stack faults, the page fault's own frame cannot be pushed either,
 * and that is a double fault: then CR2 is the address of the first push.
 */
static bool
looks_like_overflow(const struct trapframe *tf)
{
    uint64_t cr2 = read_cr2();

    return tf->rsp >= KERNEL_HALF && cr2 < tf->rsp + PAGE_SIZE && cr2 + 2 * PAGE_SIZE > tf->rsp;
}

void
trap_paranoid(struct trapframe *tf, uint64_t gs)
{
    if (tf->vector == TRAP_NMI && panic_in_progress())
        ap_stop_here(tf);
    if (tf->vector != TRAP_DF && handlers[tf->vector] != NULL) {
        handlers[tf->vector](tf);
        return;
    }
    if (tf->vector == TRAP_DF && !trap_from_user(tf) && gs != (uint64_t)this_cpu())
        panic_gs(tf, gs);
    if (tf->vector == TRAP_DF && looks_like_overflow(tf))
        panic_trap(tf, "kernel stack overflow (double fault)");
    panic_trap(tf, "%s", trap_name(tf->vector));
}

/*
 * trap_bad_iret - IRETQ to user mode faulted: make the fault the user's own.
 *
 * @tf: frame of the fault.  The user's general registers are in it, for they were restored
 *      already; the five words that IRETQ read still lie at the top of the stack.
 * Returns: the user's frame, whole, at the top of the stack, where it overlaps @tf.
 */
struct trapframe *
trap_bad_iret(struct trapframe *tf)
{
    struct trapframe *user = (struct trapframe *)this_cpu()->kernel_stack - 1;

    memmove(user, tf, offsetof(struct trapframe, rip));
    return user;
}

static void
print_page_fault(const struct trapframe *tf, uint64_t address)
{
    uint64_t e = tf->error;
    const char *access = e & PF_FETCH ? "execute" : e & PF_WRITE ? "write to" : "read";
    const char *why = e & PF_RESERVED  ? "a reserved bit is set in a page-table entry"
                      : e & PF_KEY     ? "its protection key forbids that"
                      : e & PF_PRESENT ? "the page is present but its rights forbid that"
                                       : "no page is mapped there";

    kprintf("  %s mode tried to %s %#lx: %s\n", trap_from_user(tf) ? "user" : "kernel", access,
            address, why);
    /*
     * SIMPLE: QEMU's TCG reads with supervisor rights in a user's IRET; so the two may differ.
     */
    if (!(e & PF_USER) == trap_from_user(tf))
        kprintf("  (the error code says %s mode)\n", e & PF_USER ? "user" : "kernel");
}

void
trap_print(const struct trapframe *tf)
{
    uint64_t cr2 = read_cr2();

    kprintf("  trap %lu, %s, error code %#lx\n", tf->vector, trap_name(tf->vector), tf->error);
    if (tf->vector == TRAP_PF)
        print_page_fault(tf, cr2);
    kprintf("  rip %016lx  cs %04lx  rflags %08lx  rsp %016lx  ss %04lx\n", tf->rip, tf->cs,
            tf->rflags, tf->rsp, tf->ss);
    kprintf("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", tf->rax, tf->rbx, tf->rcx,
            tf->rdx);
    kprintf("  rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx\n", tf->rsi, tf->rdi, tf->rbp,
            tf->r8);
    kprintf("  r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx\n", tf->r9, tf->r10, tf->r11,
            tf->r12);
    kprintf("  r13 %016lx  r14 %016lx  r15 %016lx\n", tf->r13, tf->r14, tf->r15);
    kprintf("  cr2 %016lx  cr3 %016lx\n", cr2, read_cr3());
}
