/*
 * panic.c - the kernel has found itself broken: say how, and stop the machine.
 *
 * Order of the lines: the reason, the registers, the page walk, what upper layers
 * know, the backtrace.  The most useful comes first, because a broken kernel may break
 * again while it speaks; a second panic is one line and the end.
 *
 * Nothing here takes a lock or allocates.
 */
#include "kernel/arch/panic.h"

#include "kernel/arch/ap.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/log.h"
#include "kernel/lib/printf.h"
#include "mm/layout.h"

#define BACKTRACE_MAX 32

/*
 * Made by the build from the linked kernel, sorted by address; weak, so that it links without.
 */
extern const uint64_t ksyms_count __attribute__((weak));
extern const uint64_t ksyms_addr[] __attribute__((weak));
extern const uint32_t ksyms_name_off[] __attribute__((weak));
extern const char ksyms_names[] __attribute__((weak));

extern char kernel_text_start[];

static void (*walk_hook)(paddr_t root, vaddr_t va);
static void (*info_hook)(void);
static uint32_t panicking; /* the CPU that panics, plus one; 0: none does */

void
panic_set_walk_hook(void (*walk)(paddr_t root, vaddr_t va))
{
    walk_hook = walk;
}

void
panic_set_info_hook(void (*info)(void))
{
    info_hook = info;
}

bool
panic_in_progress(void)
{
    return READ_ONCE(panicking) != 0;
}

static bool
is_text(uint64_t addr)
{
    return addr >= (uint64_t)kernel_text_start && addr < (uint64_t)kernel_text_end;
}

const char *
symbol_find(uint64_t addr, uint64_t *offset)
{
    if (&ksyms_count == NULL || ksyms_count == 0 || addr < ksyms_addr[0] || !is_text(addr))
        return NULL;

    uint64_t low = 0, high = ksyms_count; /* ksyms_addr[low] <= addr < ksyms_addr[high] */
    while (high - low > 1) {
        uint64_t mid = (low + high) / 2;
        if (ksyms_addr[mid] <= addr)
            low = mid;
        else
            high = mid;
    }
    *offset = addr - ksyms_addr[low];
    return ksyms_names + ksyms_name_off[low];
}

/*
 * @after_call: the address is a return address; the function is looked up by the byte before
 * it, because a call of panic() may be a function's last instruction.
 */
static void
print_address(uint64_t addr, bool after_call)
{
    uint64_t offset = 0;
    const char *name = symbol_find(addr - after_call, &offset);

    if (name != NULL)
        kprintf("    %016lx  %s+%#lx\n", addr, name, offset + after_call);
    else
        kprintf("    %016lx\n", addr);
}

/*
 * A frame pointer must lie in the kernel's half, be aligned, and lie above the frame
 * that it came from.
 */
static bool
frame_plausible(uint64_t rbp, uint64_t previous)
{
    return rbp >= KERNEL_HALF && rbp % 8 == 0 && rbp > previous && rbp <= UINT64_MAX - 16;
}

/* Prints the callers, from the frame at @rbp on up. */
static void
print_callers(uint64_t rbp)
{
    uint64_t previous = 0;

    for (int i = 0; i < BACKTRACE_MAX && frame_plausible(rbp, previous); i++) {
        const uint64_t *frame = (const uint64_t *)rbp;

        if (!is_text(frame[1]))
            break;
        print_address(frame[1], true);
        if (frame[0] > rbp + KSTACK_SIZE)
            break; /* a jump out of the stack */
        previous = rbp;
        rbp = frame[0];
    }
}

void
backtrace_print(uint64_t rip, uint64_t rbp)
{
    kprintf("  backtrace:\n");
    print_address(rip, false);
    print_callers(rbp);
}

/*
 * The first line.  Never returns for a second panic: one of another CPU has come too late, one of
 * this CPU is the end.
 */
static void
begin(const char *fmt, va_list ap)
{
    uint32_t nobody = 0, me = this_cpu()->id + 1;

    __asm__ volatile("cli" ::: "memory");
    bool first = __atomic_compare_exchange_n(&panicking, &nobody, me, false, __ATOMIC_SEQ_CST,
                                             __ATOMIC_SEQ_CST);

    if (!first && nobody != me)
        ap_stop_here(NULL);
    if (first)
        ap_stop_others(); /* before the log's lock is passed by */
    log_enter_panic();
    if (!first) {
        kprintf("\nPANIC while panicking: ");
        kvprintf(fmt, ap);
        kprintf("\n");
        machine_exit(EXIT_CODE_PANIC);
    }
    kprintf("\nPANIC: ");
    kvprintf(fmt, ap);
    kprintf("\n");
}

/* What the other CPUs were doing. */
static void
tell_others(void)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct cpu *c = cpus[i];

        if (c == this_cpu())
            continue;
        kprintf("  CPU %u%s\n", i,
                c->stopped_rip == 0                     ? " does not answer"
                : (vaddr_t)c->stopped_rip < KERNEL_HALF ? " was in user mode"
                                                        : " was here:");
        if (c->stopped_rip >= KERNEL_HALF)
            backtrace_print(c->stopped_rip, c->stopped_rbp);
    }
}

static void
end(void)
{
    if (info_hook != NULL)
        info_hook();
    tell_others();
    kprintf("  the machine stops here\n");
    machine_exit(EXIT_CODE_PANIC);
}

void
panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    begin(fmt, ap);
    va_end(ap);
    kprintf("  on CPU %u\n", this_cpu()->id);
    kprintf("  backtrace:\n");
    print_callers((uint64_t)__builtin_frame_address(0));
    end();
    __builtin_unreachable();
}

void
panic_trap(const struct trapframe *tf, const char *fmt, ...)
{
    va_list ap;
    uint64_t cr2 = read_cr2();

    va_start(ap, fmt);
    begin(fmt, ap);
    va_end(ap);
    kprintf("  on CPU %u\n", this_cpu()->id);
    trap_print(tf);
    if (walk_hook != NULL && (tf->vector == TRAP_PF || tf->vector == TRAP_DF))
        walk_hook(read_cr3() & ~PAGE_MASK, cr2);
    if (trap_from_user(tf))
        kprintf("  the trap came from user mode\n");
    else
        backtrace_print(tf->rip, tf->rbp);
    end();
    __builtin_unreachable();
}
