/*
 * core_name.c - what a core file is called: the pattern in /proc/sys/kernel/core_pattern, and the
 * facts about the process that it can name.
 *
 * SIMPLE: Linux also hands cores to a program ("|/usr/bin/handler"); such a pattern is refused.
 *
 * Called by core.c and /proc.  Contract: core(5) "Naming of core dump files".
 */
#include "kernel/proc/core.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/sched.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"
#include "kernel/fs/file.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/proc/identity.h"
#include "kernel/proc/process.h"

static struct spinlock pattern_lock = SPINLOCK_INIT("core_pattern");
static char pattern[CORE_PATTERN_MAX + 1] = "core.%p"; /* pattern_lock */

void
core_get_pattern(char *buf)
{
    spin_lock(&pattern_lock);
    memcpy(buf, pattern, sizeof(pattern));
    spin_unlock(&pattern_lock);
}

int
core_set_pattern(const char *text, size_t n)
{
    if (n > CORE_PATTERN_MAX || (n > 0 && text[0] == '|'))
        return -EINVAL;
    spin_lock(&pattern_lock);
    memset(pattern, 0, sizeof(pattern));
    memcpy(pattern, text, n);
    spin_unlock(&pattern_lock);
    return 0;
}

/*
 * Makes text that others chose, or a whole path, one step of a path: '/' becomes '!', and so
 * does the first byte of "." and "..".
 */
static void
make_step(char *s)
{
    if (strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
        *s = '!';
    for (; *s != '\0'; s++)
        if (*s == '/')
            *s = '!';
}

/* Text that may hold anything. Returns its length, which may be more than there was room for. */
static int
put_step(char *buf, size_t room, const char *text)
{
    int n = snprintf(buf, room, "%s", *text != '\0' ? text : "!");

    make_step(buf);
    return n;
}

/* The program's path, or the last name of it. */
static int
put_program(char *buf, size_t room, bool whole)
{
    size_t n = file_path(current_process()->exe, buf, room);
    char *slash = strrchr(buf, '/');

    if (!whole && slash != NULL) {
        n = strlen(slash + 1);
        memmove(buf, slash + 1, n + 1);
    }
    make_step(buf);
    return (int)n;
}

/* What %@spec stands for. Returns its length. */
static int
put_fact(char spec, char *buf, size_t room, int sig)
{
    const struct process *p = current_process();
    const struct cred *c = current_thread()->cred;
    char host[HOSTNAME_MAX + 1];

    switch (spec) {
    case '%':
        return snprintf(buf, room, "%%");
    case 'p':
    case 'P':
        return snprintf(buf, room, "%d", p->pid);
    case 'i':
    case 'I':
        return snprintf(buf, room, "%d", current_task()->tid);
    case 'u':
        return snprintf(buf, room, "%u", c->uid);
    case 'g':
        return snprintf(buf, room, "%u", c->gid);
    case 'd':
        return snprintf(buf, room, "1"); /* else there is no core */
    case 's':
        return snprintf(buf, room, "%d", sig);
    case 't':
        return snprintf(buf, room, "%lu", clock_realtime() / NSEC_PER_SEC);
    case 'c':
        return snprintf(buf, room, "%lu", p->rlimits[RLIMIT_CORE].soft);
    case 'h':
        identity_get_hostname(host);
        return put_step(buf, room, host);
    case 'e':
        return put_step(buf, room, current_thread()->name);
    case 'f':
    case 'E':
        return put_program(buf, room, spec == 'E');
    default:
        return 0; /* unknown: left out, as on Linux */
    }
}

int
core_name(char *buf, size_t size, int sig)
{
    char text[CORE_PATTERN_MAX + 1];
    size_t at = 0;

    core_get_pattern(text);
    for (const char *p = text; *p != '\0' && at < size; p++) {
        if (*p != '%')
            at += (size_t)snprintf(buf + at, size - at, "%c", *p);
        else if (*++p == '\0')
            break;
        else
            at += (size_t)put_fact(*p, buf + at, size - at, sig);
    }
    if (at >= size)
        return -ENAMETOOLONG;
    buf[at] = '\0';
    return 0;
}
