/*
 * procfs_process.c - the files of one process: stat, status, comm, limits
 * and the table of all of them.
 *
 * What belongs to the process or its thread is copied under proc_lock into a struct facts
 * first; then the space is asked, which may sleep.  A process that has exited and not been
 * waited for has no thread and no space: its files say what is left, as Linux's do.
 */
#include "kernel/proc/procfs_internal.h"

#include "kernel/abi/core.h"
#include "kernel/abi/errno.h"
#include "kernel/abi/sched.h"
#include "kernel/arch/cpu.h"
#include "kernel/dev/tty.h"
#include "kernel/fs/path.h"
#include "kernel/lib/string.h"
#include "mm/rmap.h"
#include "mm/space.h"

#define TTY_CONSOLE DEV_MAKE(5, 1)

struct facts {
    char name[THREAD_NAME_MAX];
    char state;
    pid_t pid, tid, parent, pgrp, session, foreground;
    bool has_tty;
    unsigned ntasks;
    int nice, exit_status;
    nsec_t start, user, system, child_user, child_system;
    uint64_t minor, major, child_minor, child_major; /* of threads that ended */
    uint64_t peak;
    sigset_t pending_own, pending_all, blocked, ignored, caught;
    uint64_t switches, preempted;
    struct rlimit stack, rss;
    struct cred cred;
    mode_t umask;
    uint64_t env_start;
};

static const char *
state_word(char letter)
{
    switch (letter) {
    case 'R':
        return "running";
    case 'S':
        return "sleeping";
    case 'D':
        return "disk sleep";
    case 'T':
        return "stopped";
    default:
        return "zombie";
    }
}

static void
learn_signals(const struct process *p, struct facts *f)
{
    f->pending_all = p->pending.set;
    for (int sig = 1; sig <= NSIG; sig++) {
        if (p->actions[sig - 1].handler == SIG_IGN)
            f->ignored |= SIGBIT(sig);
        else if (p->actions[sig - 1].handler != SIG_DFL)
            f->caught |= SIGBIT(sig);
    }
}

static void
learn_task(const struct task *t, struct facts *f)
{
    const struct thread *th = t->thread;

    memcpy(f->name, th->name, sizeof(f->name));
    f->pending_own = t->pending.set;
    f->blocked = t->blocked;
    f->switches = th->switches_voluntary;
    f->preempted = th->switches_forced;
    if (th->cred != NULL)
        f->cred = *th->cred;
    if (th->fs != NULL)
        f->umask = th->fs->umask;
}

/* Copies what is known of @i's process. Returns 0 or -ESRCH. */
static int
learn(const struct proc_inode *i, struct facts *f)
{
    const struct process *p = i->process;

    memset(f, 0, sizeof(*f));
    spin_lock(&proc_lock);
    strlcpy(f->name, p->dead_name, sizeof(f->name));
    f->cred.uid = f->cred.euid = p->dead_uid;
    struct task *t = proc_task_locked(i);
    if (!proc_present_locked(i) || (i->tid != 0 && t == NULL)) {
        spin_unlock(&proc_lock);
        return -ESRCH;
    }
    f->state = process_letter_locked(p, t);
    f->pid = p->pid;
    f->tid = i->tid != 0 ? i->tid : p->pid;
    f->parent = p->parent != NULL ? p->parent->pid : 0;
    f->pgrp = p->pgrp;
    f->session = p->session;
    f->has_tty = p->tty != NULL;
    f->foreground = f->has_tty ? READ_ONCE(p->tty->foreground) : -1;
    f->ntasks = p->ntasks;
    f->nice = p->nice;
    f->exit_status = p->exit_status;
    f->start = p->start_time;
    process_times_locked(i->process, &f->user, &f->system);
    if (i->tid != 0)
        thread_times(t->thread, &f->user, &f->system);
    f->child_user = p->child_user;
    f->child_system = p->child_system;
    f->minor = p->dead_minor;
    f->major = p->dead_major;
    f->child_minor = p->child_minor;
    f->child_major = p->child_major;
    f->peak = p->dead_peak;
    f->rss = p->rlimits[RLIMIT_RSS];
    learn_signals(p, f);
    if (t != NULL)
        learn_task(t, f);
    spin_unlock(&proc_lock);
    return 0;
}

/* ---- stat ---- */

/* The fields of stat that come from the space; all 0 when there is none. */
struct stat_space {
    uint64_t size, resident, minor, major;
    vaddr_t code_start, code_end, stack, brk, arg_start, arg_end, env_start, env_end;
};

static void
learn_space(struct proc_inode *i, struct stat_space *o)
{
    struct space *s = process_space(i->process);

    memset(o, 0, sizeof(*o));
    if (s == NULL)
        return;
    mutex_lock(&s->lock);
    o->size = s->pages;
    o->code_start = s->code_start;
    o->code_end = s->code_end;
    o->stack = s->stack_top;
    o->brk = s->brk_start;
    o->arg_start = s->arg_start;
    o->arg_end = s->arg_end;
    o->env_start = s->env_start;
    o->env_end = s->env_end;
    mutex_lock(&vm_lock);
    o->resident = s->resident_anon + s->resident_file;
    o->minor = s->faults.minor;
    o->major = s->faults.major;
    mutex_unlock(&vm_lock);
    mutex_unlock(&s->lock);
    space_put(s);
}

/* Addresses tell where a program was put: only for who may look into it. */
static void
hide_addresses(struct stat_space *o)
{
    o->code_start = o->code_end = o->stack = o->brk = 0;
    o->arg_start = o->arg_end = o->env_start = o->env_end = 0;
}

static int
show_stat(struct proc_inode *i, struct text *t)
{
    struct facts f;
    struct stat_space s;
    int err = learn(i, &f);

    if (err != 0)
        return err;
    learn_space(i, &s);
    if (proc_may_look(i) != 0)
        hide_addresses(&s);
    text_printf(t, "%d (%s) %c %d %d %d %lu %d 0 ", f.tid, f.name, f.state, f.parent, f.pgrp,
                f.session, f.has_tty ? TTY_CONSOLE : 0, f.foreground);
    text_printf(t, "%lu %lu %lu %lu ", f.minor + s.minor, f.child_minor, f.major + s.major,
                f.child_major);
    text_printf(t, "%lu %lu %lu %lu ", f.user / NSEC_PER_TICK, f.system / NSEC_PER_TICK,
                f.child_user / NSEC_PER_TICK, f.child_system / NSEC_PER_TICK);
    text_printf(t, "%d %d %u 0 %lu ", 20 + f.nice, f.nice, f.ntasks, f.start / NSEC_PER_TICK);
    text_printf(t, "%lu %lu %lu ", s.size * PAGE_SIZE, s.resident, f.rss.soft);
    text_printf(t, "%lu %lu %lu 0 0 ", s.code_start, s.code_end, s.stack);
    text_printf(t, "%lu %lu %lu %lu ", f.pending_own & INT32_MAX, f.blocked & INT32_MAX,
                f.ignored & INT32_MAX, f.caught & INT32_MAX);
    text_printf(t, "0 0 0 %d 0 0 0 0 0 0 ", SIGCHLD);
    text_printf(t, "0 0 %lu %lu %lu %lu %lu %d\n", s.brk, s.arg_start, s.arg_end, s.env_start,
                s.env_end, f.exit_status);
    return 0;
}

/* ---- status ---- */

static void
kib_line(struct text *t, const char *name, uint64_t pages)
{
    text_printf(t, "%s\t%8lu kB\n", name, pages * KIB_PER_PAGE);
}

static void
show_memory_lines(struct proc_inode *i, const struct facts *f, struct text *t)
{
    struct space *s = process_space(i->process);
    struct proc_sizes z;

    if (s == NULL)
        return;
    proc_measure(s, &z);
    mutex_lock(&vm_lock);
    uint64_t anon = s->resident_anon, file = s->resident_file, tables = s->pt.tables;
    uint64_t peak = MAX(MAX(s->resident_peak, anon + file), f->peak);
    mutex_unlock(&vm_lock);
    space_put(s);
    kib_line(t, "VmSize:", z.total);
    kib_line(t, "VmLck:", z.locked);
    kib_line(t, "VmHWM:", peak);
    kib_line(t, "VmRSS:", anon + file);
    kib_line(t, "RssAnon:", anon);
    kib_line(t, "RssFile:", file);
    kib_line(t, "RssShmem:", 0);
    kib_line(t, "VmData:", z.data);
    kib_line(t, "VmStk:", z.stack);
    kib_line(t, "VmExe:", z.code);
    kib_line(t, "VmLib:", z.library);
    kib_line(t, "VmPTE:", tables);
    kib_line(t, "VmSwap:", 0);
}

static void
show_signal_lines(const struct facts *f, struct text *t)
{
    text_printf(t, "SigPnd:\t%016lx\nShdPnd:\t%016lx\n", f->pending_own, f->pending_all);
    text_printf(t, "SigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", f->blocked,
                f->ignored, f->caught);
}

static int
show_status(struct proc_inode *i, struct text *t)
{
    struct facts f;
    int err = learn(i, &f);

    if (err != 0)
        return err;
    text_printf(t, "Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\n", f.name, f.umask, f.state,
                state_word(f.state));
    text_printf(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", f.pid, f.tid,
                f.parent);
    text_printf(t, "Uid:\t%u\t%u\t%u\t%u\n", f.cred.uid, f.cred.euid, f.cred.suid,
                f.cred.fsuid);
    text_printf(t, "Gid:\t%u\t%u\t%u\t%u\n", f.cred.gid, f.cred.egid, f.cred.sgid,
                f.cred.fsgid);
    text_printf(t, "FDSize:\t%d\nGroups:\t", FILES_CHUNK);
    for (unsigned k = 0; k < f.cred.ngroups; k++)
        text_printf(t, "%u ", f.cred.groups[k]);
    text_printf(t, "\n");
    show_memory_lines(i, &f, t);
    text_printf(t, "Threads:\t%u\n", f.ntasks);
    show_signal_lines(&f, t);
    text_printf(t, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
                f.switches, f.preempted);
    return 0;
}

/* ---- the small ones ---- */

static int
show_comm(struct proc_inode *i, struct text *t)
{
    struct facts f;
    int err = learn(i, &f);

    if (err == 0)
        text_printf(t, "%s\n", f.name);
    return err;
}

static int
write_comm(struct proc_inode *i, const char *text, size_t n UNUSED)
{
    int err = proc_may_look(i);

    if (err != 0)
        return err;
    spin_lock(&proc_lock);
    struct task *t = proc_task_locked(i);
    if (t != NULL) {
        strlcpy(t->thread->name, text, THREAD_NAME_MAX);
        char *newline = strchr(t->thread->name, '\n');
        if (newline != NULL)
            *newline = '\0';
    }
    spin_unlock(&proc_lock);
    return t != NULL ? 0 : -ESRCH;
}

static int
show_filter(struct proc_inode *i, struct text *t)
{
    struct space *s = process_space(i->process);

    if (s == NULL) /* a zombie */
        return 0;
    text_printf(t, "%08x\n", s->core_filter);
    space_put(s);
    return 0;
}

static int
write_filter(struct proc_inode *i, const char *text, size_t n UNUSED)
{
    const char *end;
    uint64_t filter = strtou64(text, &end, 0);
    int err = proc_may_look(i);

    if (err != 0)
        return err;
    if (end == text || (*end != '\0' && strcmp(end, "\n") != 0) || filter > UINT32_MAX)
        return -EINVAL;
    struct space *s = process_space(i->process);
    if (s == NULL)
        return -ESRCH;
    s->core_filter = (uint32_t)filter & CORE_FILTER_ALL;
    space_put(s);
    return 0;
}

static int
show_wchan(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "0");
    return 0;
}

/* In the order of the numbers RLIMIT_xxx. */
static const struct {
    const char *name, *unit;
} limit_names[RLIMIT_COUNT] = {
    {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
    {"Max data size", "bytes"},      {"Max stack size", "bytes"},
    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
    {"Max processes", "processes"},  {"Max open files", "files"},
    {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
    {"Max file locks", "locks"},     {"Max pending signals", "signals"},
    {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
    {"Max realtime priority", ""},   {"Max realtime timeout", "us"},
};

static void
show_limit(struct text *t, uint64_t value)
{
    if (value == RLIM_INFINITY)
        text_printf(t, "%-20s ", "unlimited");
    else
        text_printf(t, "%-20lu ", value);
}

static int
show_limits(struct proc_inode *i, struct text *t)
{
    struct rlimit limits[RLIMIT_COUNT];

    spin_lock(&proc_lock);
    memcpy(limits, i->process->rlimits, sizeof(limits));
    spin_unlock(&proc_lock);
    text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned k = 0; k < RLIMIT_COUNT; k++) {
        text_printf(t, "%-25s ", limit_names[k].name);
        show_limit(t, limits[k].soft);
        show_limit(t, limits[k].hard);
        text_printf(t, limit_names[k].unit[0] != '\0' ? "%-10s\n" : "%s\n",
                    limit_names[k].unit);
    }
    return 0;
}

/* What a process and each of its threads have. */
#define COMMON_FILES                                                                          \
    {.name = "cmdline", .mode = PROC_FILE(0444), .show = proc_show_cmdline},                  \
        {.name = "comm", .mode = PROC_FILE(0644), .show = show_comm, .write = write_comm},    \
        {.name = "clear_refs", .mode = PROC_FILE(0200), .write = proc_write_clear_refs},      \
        {.name = "coredump_filter",                                                           \
         .mode = PROC_FILE(0644),                                                             \
         .show = show_filter,                                                                 \
         .write = write_filter},                                                              \
        {.name = "cwd",                                                                       \
         .mode = PROC_LINK(0777),                                                             \
         .readlink = proc_read_cwd,                                                           \
         .follow = proc_follow_cwd},                                                          \
        {.name = "environ",                                                                   \
         .mode = PROC_FILE(0400),                                                             \
         .open = proc_open_private,                                                           \
         .show = proc_show_environ},                                                          \
        {.name = "exe",                                                                       \
         .mode = PROC_LINK(0777),                                                             \
         .readlink = proc_read_exe,                                                           \
         .follow = proc_follow_exe},                                                          \
        {.name = "faults", .mode = PROC_FILE(0444), .show = proc_show_faults},                \
        {.name = "fd", .mode = PROC_DIR(0500), .numbers = PROC_FDS, .entry = &proc_fd_entry}, \
        {.name = "limits", .mode = PROC_FILE(0444), .show = show_limits},                     \
        {.name = "maps",                                                                      \
         .mode = PROC_FILE(0444),                                                             \
         .open = proc_open_private,                                                           \
         .show = proc_show_maps},                                                             \
        {.name = "mounts", .mode = PROC_FILE(0444), .show = proc_show_mounts},                \
        {.name = "pagemap", .mode = PROC_FILE(0400), .words = 1, .pages = proc_pagemap},      \
        {.name = "root",                                                                      \
         .mode = PROC_LINK(0777),                                                             \
         .readlink = proc_read_root,                                                          \
         .follow = proc_follow_root},                                                         \
        {.name = "smaps",                                                                     \
         .mode = PROC_FILE(0444),                                                             \
         .open = proc_open_private,                                                           \
         .show = proc_show_smaps},                                                            \
        {.name = "stat", .mode = PROC_FILE(0444), .show = show_stat},                         \
        {.name = "statm", .mode = PROC_FILE(0444), .show = proc_show_statm},                  \
        {.name = "status", .mode = PROC_FILE(0444), .show = show_status},                     \
        {.name = "walk",                                                                      \
         .mode = PROC_FILE(0400),                                                             \
         .words = PROC_WALK_WORDS,                                                            \
         .pages = proc_walk},                                                                 \
    {                                                                                         \
        .name = "wchan", .mode = PROC_FILE(0444), .show = show_wchan                          \
    }

const struct proc_node proc_task_table[] = {COMMON_FILES, {0}};

static const struct proc_node task_entry = {.mode = PROC_DIR(0555),
                                            .children = proc_task_table};

const struct proc_node proc_process_table[] = {
    COMMON_FILES,
    {.name = "task", .mode = PROC_DIR(0555), .numbers = PROC_TIDS, .entry = &task_entry},
    {0},
};
