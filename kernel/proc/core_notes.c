/*
 * core_notes.c - the notes of a core file: what a debugger must know beside the memory.
 *
 *     PRSTATUS PRPSINFO SIGINFO AUXV FILE FPREGSET X86_XSTATE | PRSTATUS FPREGSET X86_XSTATE ...
 *     of the thread that died                                 | of each other one
 *
 * The order is Linux's; debuggers take the first thread for the one that matters.  Everything goes
 * into a struct text, which notices when there is no memory.
 *
 * Called by core.c.
 */
#include "kernel/proc/core.h"

#include "kernel/abi/core.h"
#include "kernel/abi/elf.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/fpu.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/text.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "mm/kmalloc.h"
#include "mm/object.h"
#include "mm/space.h"

static void
note_begin(struct text *t, const char *name, uint32_t type, size_t size)
{
    struct elf_note n = {(uint32_t)strlen(name) + 1, (uint32_t)size, type, ""};

    strlcpy(n.name, name, sizeof(n.name));
    text_write(t, &n, offsetof(struct elf_note, name) + ROUND_UP(n.namesz, 4));
}

static void
note_end(struct text *t)
{
    text_write(t, "\0\0\0", ROUND_UP(t->length, 4) - t->length);
}

static void
note(struct text *t, const char *name, uint32_t type, const void *bytes, size_t size)
{
    note_begin(t, name, type, size);
    text_write(t, bytes, size);
    note_end(t);
}

static void
fill_regs(struct user_regs *r, const struct thread *t)
{
    // LAB core/1 begin -- @registers
    const struct trapframe *tf = (const struct trapframe *)thread_user_frame(t);
    bool me = t == current_thread();

    memcpy(r, tf, offsetof(struct trapframe, vector));
    r->orig_rax = tf->vector == TRAP_SYSCALL ? tf->error : UINT64_MAX;
    r->rip = tf->rip, r->cs = tf->cs, r->rflags = tf->rflags, r->rsp = tf->rsp, r->ss = tf->ss;
    r->fs_base = me ? cpu_get_user_fs() : t->user_fs;
    r->gs_base = me ? cpu_get_user_gs() : t->user_gs;
    // LAB end
}

/* Registers and state of one thread. proc_lock held. */
static void
note_thread(struct text *out, const struct task *t, int sig)
{
    struct process *p = t->process;
    nsec_t user, system;

    if (t->tid == p->pid)
        process_times_locked(p, &user, &system);
    else
        thread_times(t->thread, &user, &system);

    struct elf_prstatus st = {
        .signo = sig,
        .cursig = (int16_t)sig,
        .sigpend = t->pending.set,
        .sighold = t->blocked,
        .pid = t->tid,
        .ppid = p->parent != NULL ? p->parent->pid : 0,
        .pgrp = p->pgrp,
        .sid = p->session,
        .utime = nsec_to_timeval(user),
        .stime = nsec_to_timeval(system),
        .cutime = nsec_to_timeval(p->child_user),
        .cstime = nsec_to_timeval(p->child_system),
        .fpvalid = 1,
    };

    fill_regs(&st.regs, t->thread);
    note(out, "CORE", NT_PRSTATUS, &st, sizeof(st));
}

/* Floating-point and vector registers of one thread: gdb wants XCR0 where software may write. */
static void
note_fpu(struct text *out, const struct task *t)
{
    const char *area = t->thread->fpu;
    uint64_t xcr0 = fpu_features();
    size_t rest = FP_SW_RESERVED_OFFSET + sizeof(xcr0);

    note(out, "CORE", NT_FPREGSET, area, 512);
    if (xcr0 == 0)
        return;
    note_begin(out, "LINUX", NT_X86_XSTATE, fpu_size());
    text_write(out, area, FP_SW_RESERVED_OFFSET);
    text_write(out, &xcr0, sizeof(xcr0));
    text_write(out, area + rest, fpu_size() - rest);
    note_end(out);
}

static void
note_process(struct text *out)
{
    const struct process *p = current_process();
    const struct cred *cred = current_thread()->cred;
    const struct space *s = current_thread()->space;
    struct elf_prpsinfo ps = {
        .sname = 'R',
        .nice = (char)p->nice,
        .uid = cred->uid,
        .gid = cred->gid,
        .pid = p->pid,
    };
    size_t n = MIN(s->arg_end - s->arg_start, sizeof(ps.psargs) - 1);

    spin_lock(&proc_lock);
    ps.ppid = p->parent != NULL ? p->parent->pid : 0;
    ps.pgrp = p->pgrp;
    ps.sid = p->session;
    spin_unlock(&proc_lock);
    strlcpy(ps.fname, current_thread()->name, sizeof(ps.fname));
    n = copy_from_user_partial(ps.psargs, s->arg_start, n);
    for (size_t i = 0; i < n; i++)
        if (ps.psargs[i] == '\0')
            ps.psargs[i] = ' ';
    note(out, "CORE", NT_PRPSINFO, &ps, sizeof(ps));
}

static void
note_auxv(struct text *out)
{
    // LAB core/2 begin -- (void)out;
    const uint64_t *auxv = current_thread()->space->auxv;
    size_t words = 2;

    while (auxv[words - 2] != AT_NULL)
        words += 2;
    note(out, "CORE", NT_AUXV, auxv, words * sizeof(*auxv));
    // LAB end
}

static int
append(void *to, const void *bytes, size_t n)
{
    text_write(to, bytes, n);
    return 0;
}

/* A line of the table of mapped files, and the file's name. @path: PATH_MAX to work in. */
static void
list_file(const struct region *r, struct text *table, struct text *names, char *path)
{
    // LAB core/2 begin -- (void)r, (void)table, (void)names, (void)path;
    uint64_t row[3] = {r->start, r->end, r->offset};
    dev_t dev;
    ino_t ino;

    if (r->object == NULL)
        return;
    r->object->ops->describe(r->object, path, PATH_MAX, &dev, &ino);
    text_write(table, row, sizeof(row));
    text_write(names, path, strlen(path) + 1);
    // LAB end
}

/* Which files are mapped where: how gdb finds programs and libraries. */
static void
note_files(struct text *out)
{
    struct text table = {0}, names = {0};
    char *path = kmalloc(PATH_MAX);
    struct region *r;

    if (path == NULL) {
        out->no_memory = true;
        return;
    }
    mutex_lock(&current_thread()->space->lock);
    region_for_each (r, current_thread()->space)
        list_file(r, &table, &names, path);
    mutex_unlock(&current_thread()->space->lock);

    // LAB core/2 begin -- uint64_t head[2] = {0, 0};
    uint64_t head[2] = {table.length / (3 * sizeof(uint64_t)), PAGE_SIZE};
    // LAB end

    note_begin(out, "CORE", NT_FILE, sizeof(head) + table.length + names.length);
    text_write(out, head, sizeof(head));
    (void)text_each(&table, append, out);
    (void)text_each(&names, append, out);
    note_end(out);
    out->no_memory |= table.no_memory || names.no_memory;
    text_free(&table);
    text_free(&names);
    kfree(path);
}

void
core_notes(struct text *out, const struct siginfo *info)
{
    struct task *me = current_task(), *t;

    fpu_save(me->thread->fpu);
    spin_lock(&proc_lock);
    note_thread(out, me, info->signo);
    spin_unlock(&proc_lock);
    note_process(out);
    note(out, "CORE", NT_SIGINFO, info, sizeof(*info));
    note_auxv(out);
    note_files(out);
    note_fpu(out, me);
    spin_lock(&proc_lock);
    list_for_each (t, &me->process->tasks, link) {
        if (t == me)
            continue;
        note_thread(out, t, info->signo);
        note_fpu(out, t);
    }
    spin_unlock(&proc_lock);
}
