/*
 * strace.c - prints a process's system calls to the kernel's log.
 *
 * A line is begun when the call is made and ended when it returns.  If another thread's line is
 * begun in between, the first is left "<unfinished ...>" and taken up again with
 * "<... NAME resumed>", so no result stands behind another's call.
 *
 * SIMPLE: flags are numbers and structures addresses; strace(1) knows all their names.
 *
 * Locks: line_lock (spin) for which thread's line is open.  Called by syscall.c.
 */
#include "kernel/sys/strace.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"
#include "kernel/arch/uaccess.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/restart.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"

#define STRING_SHOWN 48
#define LINE_SIZE    320 /* what is longer is cut off: it lies on the kernel stack */

struct line {
    char text[LINE_SIZE];
    size_t len;
};

static struct spinlock line_lock = SPINLOCK_INIT("strace");
/* line_lock: who began the last line, if it has no end. */
static const struct thread *open_line;

#define NAME(e) [e] = #e
static const char *const error_names[] = {
    NAME(EPERM),   NAME(ENOENT),       NAME(ESRCH),   NAME(EINTR),     NAME(EIO),
    NAME(ENXIO),   NAME(E2BIG),        NAME(ENOEXEC), NAME(EBADF),     NAME(ECHILD),
    NAME(EAGAIN),  NAME(ENOMEM),       NAME(EACCES),  NAME(EFAULT),    NAME(ENOTBLK),
    NAME(EBUSY),   NAME(EEXIST),       NAME(EXDEV),   NAME(ENODEV),    NAME(ENOTDIR),
    NAME(EISDIR),  NAME(EINVAL),       NAME(ENFILE),  NAME(EMFILE),    NAME(ENOTTY),
    NAME(ETXTBSY), NAME(EFBIG),        NAME(ENOSPC),  NAME(ESPIPE),    NAME(EROFS),
    NAME(EMLINK),  NAME(EPIPE),        NAME(EDOM),    NAME(ERANGE),    NAME(EDEADLK),
    NAME(ENOSYS),  NAME(ENAMETOOLONG), NAME(ENOLCK),  NAME(ENOTEMPTY), NAME(ELOOP),
};
#undef NAME

static void PRINTF_LIKE(2, 3) append(struct line *l, const char *fmt, ...)
{
    size_t room = LINE_SIZE - l->len;
    va_list ap;

    va_start(ap, fmt);
    l->len += MIN((size_t)vsnprintf(l->text + l->len, room, fmt, ap), room - 1);
    va_end(ap);
}

/*
 * User memory in quotes, what cannot be printed escaped. @max: its
 * length, or a string's at most.
 */
static void
append_bytes(struct line *l, vaddr_t from, size_t max, bool string)
{
    char text[STRING_SHOWN];
    size_t n = copy_from_user_partial(text, from, MIN(max, sizeof(text))), i;

    if (n == 0 && max > 0) {
        append(l, "%#lx", from);
        return;
    }
    append(l, "\"");
    for (i = 0; i < n && !(string && text[i] == '\0'); i++) {
        uint8_t c = (uint8_t)text[i];

        if (c == '\n')
            append(l, "\\n");
        else if (c >= ' ' && c < 127)
            append(l, "%c", c);
        else
            append(l, "\\%o", c);
    }
    append(l, (string ? i == STRING_SHOWN : i < max) ? "\"..." : "\"");
}

static void
append_argument(struct line *l, char letter, uint64_t v, uint64_t next)
{
    switch (letter) {
    case 's':
        append_bytes(l, v, STRING_SHOWN, true);
        break;
    case 'b':
        append_bytes(l, v, next, false);
        break;
    case 'd':
        append(l, "%d", (int)v);
        break;
    case 'l':
        append(l, "%ld", (int64_t)v);
        break;
    case 'u':
        append(l, "%lu", v);
        break;
    case 'o':
        append(l, "%#lo", v);
        break;
    case 'p':
        append(l, v == 0 ? "NULL" : "%#lx", v);
        break;
    default:
        append(l, "%#lx", v);
    }
}

/* Nothing returns from these, so their line ends at once. */
static bool
never_returns(const struct syscall *s)
{
    return strcmp(s->name, "exit") == 0 || strcmp(s->name, "exit_group") == 0;
}

void
strace_begin(const struct syscall *s, const uint64_t a[6])
{
    struct line l = {.len = 0};
    bool ends = never_returns(s);

    append(&l, "[%d] %s(", current_task()->tid, s->name);
    for (unsigned i = 0; s->args[i] != '\0'; i++) {
        if (i > 0)
            append(&l, ", ");
        append_argument(&l, s->args[i], a[i], i < 5 ? a[i + 1] : 0);
    }
    spin_lock(&line_lock);
    kprintf("%s%s%s", open_line != NULL ? " <unfinished ...>\n" : "", l.text,
            ends ? ") = ?\n" : "");
    open_line = ends ? NULL : current_thread();
    spin_unlock(&line_lock);
}

/* Addresses are read best in hexadecimal. */
static bool
returns_address(const struct syscall *s)
{
    return strcmp(s->name, "mmap") == 0 || strcmp(s->name, "mremap") == 0 ||
           strcmp(s->name, "brk") == 0;
}

void
strace_end(const struct syscall *s, int64_t result)
{
    struct line l = {.len = 0};

    if (is_restart(result))
        append(&l, "? (to be restarted)");
    else if (result < 0 && result > -(int64_t)ARRAY_SIZE(error_names))
        append(&l, "-1 %s", error_names[-result]);
    else if (result < 0 && result > -4096)
        append(&l, "-1 (errno %ld)", -result);
    else
        append(&l, returns_address(s) ? "%#lx" : "%ld", result);

    spin_lock(&line_lock);
    if (open_line == current_thread())
        kprintf(") = %s\n", l.text);
    else
        kprintf("%s[%d] <... %s resumed>) = %s\n",
                open_line != NULL ? " <unfinished ...>\n" : "", current_task()->tid, s->name,
                l.text);
    open_line = NULL;
    spin_unlock(&line_lock);
}
