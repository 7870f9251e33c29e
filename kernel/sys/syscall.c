/*
 * syscall.c - from the SYSCALL instruction to a handler, and the printing of calls (strace).
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
#include "kernel/proc/process.h"
#include "kernel/sys/table.h"
#include "mm/frame.h"
#include "mm/reclaim.h"

#define STRACE_STRING 48

#define SYSCALL_ENTRY(nr, call_name, arg_letters) \
    [nr] = {#call_name, sys_##call_name, arg_letters},
const struct syscall syscall_table[SYSCALL_MAX] = {SYSCALLS(SYSCALL_ENTRY)};
#undef SYSCALL_ENTRY

static uint8_t missing_logged[SYSCALL_MAX];

/* One line for each call that is missing, not one for each time. */
static int64_t
missing(uint64_t nr)
{
    if (nr >= SYSCALL_MAX || !missing_logged[nr])
        kprintf("%s[%d]: system call %ld is not there: ENOSYS\n", current_thread()->name,
                current_process()->pid, (int64_t)nr);
    if (nr < SYSCALL_MAX)
        missing_logged[nr] = 1;
    return -ENOSYS;
}

/* A user string in quotes, with what cannot be printed escaped. */
static void
format_string(char *out, size_t size, vaddr_t s, size_t max)
{
    char text[STRACE_STRING + 1];
    size_t n = copy_from_user_partial(text, s, MIN(max, STRACE_STRING));
    size_t at = snprintf(out, size, "\"");

    for (size_t i = 0; i < n && (max != STRACE_STRING || text[i] != '\0'); i++) {
        uint8_t c = (uint8_t)text[i];

        if (c == '\n')
            at += snprintf(out + at, size - at, "\\n");
        else if (c >= ' ' && c < 127)
            at += snprintf(out + at, size - at, "%c", c);
        else
            at += snprintf(out + at, size - at, "\\%o", c);
    }
    snprintf(out + at, size - at, max > STRACE_STRING ? "\"..." : "\"");
}

static void
print_argument(char letter, uint64_t v, const uint64_t a[6], uint64_t nr, unsigned i)
{
    char text[STRACE_STRING * 4 + 8];

    switch (letter) {
    case 's':
        format_string(text, sizeof(text), v, STRACE_STRING);
        kprintf("%s", text);
        break;
    case 'd':
        kprintf("%d", (int)v);
        break;
    case 'u':
        kprintf("%lu", v);
        break;
    case 'o':
        kprintf("%#lo", v);
        break;
    default:
        if (nr == 1 && i == 1) { /* write: what is written says more than where it lies */
            format_string(text, sizeof(text), v, a[2]);
            kprintf("%s", text);
        } else {
            kprintf(v == 0 && letter == 'p' ? "NULL" : "%#lx", v);
        }
    }
}

static void
strace_begin(uint64_t nr, const uint64_t a[6])
{
    const struct syscall *s = &syscall_table[nr];

    kprintf("[%d] %s(", current_process()->pid, s->name);
    for (unsigned i = 0; s->args[i] != '\0'; i++) {
        if (i > 0)
            kprintf(", ");
        print_argument(s->args[i], a[i], a, nr, i);
    }
    kprintf(")");
}

static void
strace_end(int64_t result)
{
    if (result < 0 && result > -4096)
        kprintf(" = -1 (errno %d)\n", (int)-result);
    else
        kprintf(" = %#lx\n", result);
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

    bool trace = current_process()->strace;

    if (unlikely(trace))
        strace_begin(nr, a);
    tf->rax = (uint64_t)syscall_table[nr].call(a);
    if (unlikely(trace))
        strace_end((int64_t)tf->rax);
}

void
syscall_init(void)
{
    char value[4];

    trap_set_syscall_handler(syscall_dispatch);
    if (boot_option("strace", value, sizeof(value)))
        init_process->strace = true;
}
