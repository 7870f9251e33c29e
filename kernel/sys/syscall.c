/*
 * syscall.c - from the SYSCALL instruction to a handler.
 *
 * The number comes in rax, arguments in rdi rsi rdx r10 r8 r9 (System V ABI AMD64 A.2.1); the
 * result goes to rax, errors as -Exxx.  Any 64-bit value that is no number in the table is -ENOSYS.
 */
#include "kernel/sys/syscall.h"

#include "boot/bootinfo.h"
#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/restart.h"
#include "kernel/proc/process.h"
#include "kernel/sys/strace.h"
#include "kernel/sys/table.h"
#include "mm/frame.h"
#include "mm/reclaim.h"

#define SYSCALL_ENTRY(nr, call_name, arg_letters) \
    [nr] = {#call_name, sys_##call_name, arg_letters},
const struct syscall syscall_table[SYSCALL_MAX] = {SYSCALLS(SYSCALL_ENTRY)};
#undef SYSCALL_ENTRY

static uint8_t missing_logged[SYSCALL_MAX + 1]; /* the last: for all numbers beyond */

/* One line for each call that is missing, not one for each time. */
static int64_t
missing(uint64_t nr)
{
    uint8_t *logged = &missing_logged[MIN(nr, SYSCALL_MAX)];

    if (!__atomic_exchange_n(logged, 1, __ATOMIC_RELAXED))
        kprintf("%s[%d]: system call %ld is not there: ENOSYS\n", current_thread()->name,
                current_process()->pid, (int64_t)nr);
    return -ENOSYS;
}

static void
syscall_dispatch(struct trapframe *tf)
{
    const uint64_t a[6] = {tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9};
    uint64_t nr = tf->error;

    reclaim_throttle();
    if (unlikely(nr >= SYSCALL_MAX || syscall_table[nr].call == NULL)) {
        tf->rax = (uint64_t)missing(nr);
        return;
    }

    const struct syscall *s = &syscall_table[nr];
    bool trace = READ_ONCE(current_process()->strace);

    if (unlikely(trace))
        strace_begin(s, a);

    int64_t result = s->call(a);

    tf->rax = (uint64_t)result;
    if (unlikely(trace))
        strace_end(s, result);
    /* The signal may be gone meanwhile; who makes the call run again is signal_deliver() alone. */
    if (unlikely(is_restart(result)))
        signal_deliver(tf);
}

void
syscall_init(void)
{
    char value[4];

    trap_set_syscall_handler(syscall_dispatch);
    if (boot_option("strace", value, sizeof(value)))
        init_process->strace = true;
}
