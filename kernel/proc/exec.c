/*
 * exec.c - another program in the same process.
 *
 * The new address space is built completely while the old one is kept: the thread
 * changes over to the new one (it must be current to be written to), and if anything
 * fails it changes back, and execve() returns an error to a program that is as it was.
 * Only then is the old space let go of, descriptors are closed and handlers reset.
 *
 *     open, scripts --> collect strings --> new space: program, interpreter, stack --> commit
 */
#include "kernel/proc/process.h"

#include "boot/bootinfo.h"
#include "kernel/abi/errno.h"
#include "kernel/abi/fcntl.h"
#include "kernel/abi/mman.h"
#include "kernel/abi/sched.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/fpu.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "kernel/proc/args.h"
#include "kernel/proc/elf.h"
#include "kernel/trace/trace.h"
#include "mm/aslr.h"
#include "mm/commit.h"
#include "mm/kmalloc.h"
#include "mm/layout.h"
#include "mm/mmap.h"
#include "mm/space.h"

#define HEAD_SIZE     256 /* as much of a file as decides what it is; also the longest #! line */
#define SCRIPT_LEVELS 4   /* interpreters that are scripts themselves */
#define STACK_INITIAL (33 * PAGE_SIZE)

struct exec {
    struct file *file;   /* the program, at last an ELF file */
    struct file *script; /* the file that was named, when it is a script: gives the name */
    char *path;          /* the name as the caller gave it */
    char head[HEAD_SIZE];
    size_t head_len;
    struct args args;
    struct space *space, *old_space;
    struct elf_image program, interpreter;
    struct layout layout;
    struct cred cred; /* the new program's */
    bool secure;      /* it is set-user-ID or set-group-ID */
    vaddr_t sp, entry;
};

/* ---- the file, and scripts ---- */

static int
read_head(struct exec *x)
{
    memset(x->head, 0, sizeof(x->head));

    ssize_t n = inode_read_kernel(x->file->inode, x->head, sizeof(x->head) - 1, 0);

    if (n < 0)
        return (int)n;
    x->head_len = (size_t)n;
    return 0;
}

/* Cuts "#! interpreter [one argument]" into its words; -ENOEXEC if there is no interpreter. */
static int
parse_script(char *head, char **interpreter, char **argument)
{
    char *p = head + 2, *end = strchr(p, '\n');

    if (end == NULL && strlen(head) == HEAD_SIZE - 1)
        return -ENOEXEC; /* the line may go on: half a name must not be run */
    if (end == NULL)
        end = head + strlen(head);
    while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    while (*p == ' ' || *p == '\t')
        p++;
    if (*p == '\0')
        return -ENOEXEC;
    *interpreter = p;
    while (*p != '\0' && *p != ' ' && *p != '\t')
        p++;
    *argument = NULL;
    if (*p != '\0') {
        *p++ = '\0';
        while (*p == ' ' || *p == '\t')
            p++;
        *argument = p;
    }
    return 0;
}

/* The words that scripts put before the arguments, last level first. */
struct prefix {
    char *words[2 * SCRIPT_LEVELS + 1];
    unsigned n;
};

static int
push_word(struct prefix *p, const char *word)
{
    char *copy = kstrdup(word);

    if (copy == NULL)
        return -ENOMEM;
    p->words[p->n++] = copy;
    return 0;
}

/* While the file is a script: its interpreter is the file. */
static int
follow_scripts(struct exec *x, struct prefix *prefix)
{
    for (int level = 0;; level++) {
        int err = read_head(x);
        char *interpreter, *argument;
        struct file *next;

        if (err != 0 || x->head_len < 2 || x->head[0] != '#' || x->head[1] != '!')
            return err;
        if (level == SCRIPT_LEVELS)
            return -ELOOP;
        err = parse_script(x->head, &interpreter, &argument);
        if (err == 0 && level == 0)
            err = push_word(prefix, x->path);
        if (err == 0 && argument != NULL)
            err = push_word(prefix, argument);
        if (err == 0)
            err = push_word(prefix, interpreter);
        if (err == 0)
            err = file_open_path(interpreter, &next);
        if (err != 0)
            return err;
        err = file_check_exec(next);
        if (x->script == NULL)
            x->script = x->file;
        else
            file_put(x->file);
        x->file = next;
        if (err != 0)
            return err;
    }
}

static int
add_prefix(struct exec *x, const struct prefix *prefix)
{
    for (unsigned i = prefix->n; i-- > 0;) {
        int err = args_add(&x->args, prefix->words[i]);

        if (err != 0)
            return err;
        x->args.argc++;
    }
    return 0;
}

/* ---- the new space ---- */

static void
switch_space(struct space *s)
{
    struct thread *t = current_thread();

    spin_lock(&proc_lock); /* process_space() looks at it */
    t->space = s;
    t->pagetable = s != NULL ? &s->pt : NULL;
    pagetable_load(t->pagetable);
    spin_unlock(&proc_lock);
}

/*
 * In whose name the new program will act: the auxiliary vector tells it,
 * so it is known beforehand.
 */
static void
choose_owner(struct exec *x)
{
    struct cred *c = &x->cred;
    struct inode *i = x->file->inode;

    *c = *current_thread()->cred;
    /* A change of owner takes the bits away: before or after, not halfway. */
    mutex_lock(&i->lock);
    /* A script's bits do not count: it could be exchanged in between. */
    if (x->script == NULL && !c->no_new_privs) {
        if (i->mode & S_ISUID)
            c->euid = i->uid;
        if ((i->mode & S_ISGID) && (i->mode & S_IXGRP))
            c->egid = i->gid;
    }
    mutex_unlock(&i->lock);
    c->suid = c->fsuid = c->euid;
    c->sgid = c->fsgid = c->egid;
    c->cap_permitted = c->uid == 0 || c->euid == 0 ? CAP_ALL : 0;
    c->cap_effective = c->euid == 0 ? CAP_ALL : 0;
    x->secure = c->euid != c->uid || c->egid != c->gid;
}

static bool
layout_fixed(const struct exec *x)
{
    char value[8];

    /* The caller does not choose where another's program lies. */
    if (!x->secure && (current_process()->personality & ADDR_NO_RANDOMIZE))
        return true;
    return boot_option("aslr", value, sizeof(value)) && strcmp(value, "off") == 0;
}

static void
apply_limits(struct space *s, const struct rlimit *limits)
{
    s->stack_limit = limits[RLIMIT_STACK].soft;
    s->data_limit = limits[RLIMIT_DATA].soft;
    s->as_limit = limits[RLIMIT_AS].soft;
    s->memlock_limit = limits[RLIMIT_MEMLOCK].soft;
}

static int
make_space(struct exec *x)
{
    const struct rlimit *limits = current_process()->rlimits;
    struct space *s = space_create();

    if (s == NULL)
        return -ENOMEM;
    aslr_draw(&x->layout, layout_fixed(x));
    apply_limits(s, limits);
    s->dumpable = !x->secure && inode_permission(x->file->inode, R_OK) == 0;
    if (current_thread()->space != NULL)
        s->core_filter = current_thread()->space->core_filter;
    s->stack_top = x->layout.stack_top;
    s->mmap_base = x->layout.mmap_base;
    /* A stack that may grow far needs its room above the mappings. */
    if (s->mmap_base + MIN(s->stack_limit, 64 * GIB) + STACK_GUARD_GAP + MIB > s->stack_top)
        s->mmap_base =
            page_floor(s->stack_top - MIN(s->stack_limit, 64 * GIB) - STACK_GUARD_GAP - MIB);
    x->space = s;
    return 0;
}

static int
map_stack(struct exec *x)
{
    struct region stack = {
        .start = x->layout.stack_top - STACK_INITIAL,
        .end = x->layout.stack_top,
        .prot = PROT_READ | PROT_WRITE | (x->program.exec_stack ? PROT_EXEC : 0),
        .max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
        .grows_down = true,
        .promise = PROMISE_MADE,
    };

    mutex_lock(&x->space->lock);
    const struct region *there = space_find_from(x->space, stack.start);
    /* A program of type ET_EXEC says itself where it goes: it may claim the place. */
    int err =
        there != NULL && there->start < stack.end ? -ENOMEM : space_insert(x->space, &stack);
    mutex_unlock(&x->space->lock);
    return err;
}

static int
load_interpreter(struct exec *x)
{
    struct file *f;
    char head[sizeof(struct elf_header)];
    int err = file_open_path(x->program.interpreter, &f);

    if (err != 0)
        return err;
    err = file_check_exec(f);

    ssize_t n = err == 0 ? inode_read_kernel(f->inode, head, sizeof(head), 0) : err;

    if (n < 0)
        err = (int)n;
    else
        err = elf_load(f, head, (size_t)n, ELF_INTERPRETER, 0, &x->interpreter);
    file_put(f);
    if (err == -ENOEXEC)
        err = -ELIBBAD;
    kfree(x->interpreter.interpreter);
    x->interpreter.interpreter = NULL;
    return err;
}

static void
place_heap(struct exec *x)
{
    struct space *s = x->space;

    s->brk_start = s->brk = x->program.end + x->layout.brk_gap;
    s->code_start = x->program.code_start;
    s->code_end = x->program.code_end;
}

/* Fills the new space, which is current now. */
static int
fill_space(struct exec *x)
{
    int err =
        elf_load(x->file, x->head, x->head_len, ELF_PROGRAM, x->layout.pie_base, &x->program);

    if (err == 0)
        err = map_stack(x);
    if (err != 0)
        return err;
    place_heap(x);
    x->entry = x->program.entry;

    struct start_info info = {.program = &x->program,
                              .stack_top = x->layout.stack_top - x->layout.stack_skew,
                              .cred = &x->cred,
                              .secure = x->secure};

    if (x->program.interpreter != NULL) {
        err = load_interpreter(x);
        if (err != 0)
            return err;
        x->entry = x->interpreter.entry;
        info.interpreter_base = x->interpreter.base;
    }
    return args_layout(&x->args, &info, &x->sp);
}

/* ---- the point of no return ---- */

static bool
shares_files(const struct thread *t)
{
    return __atomic_load_n(&t->files->refs, __ATOMIC_ACQUIRE) > 1;
}

/*
 * All that can fail: a copy of a shared table, and the end of the other threads.  If only those
 * shared it, the table is the thread's own afterwards, and with it the record locks: *mine is NULL.
 */
static int
become_alone(struct files **mine)
{
    struct thread *t = current_thread();

    *mine = NULL;
    if (shares_files(t) && (*mine = files_fork(t->files)) == NULL)
        return -ENOMEM;

    int err = process_end_other_threads();

    if (*mine != NULL && (err != 0 || !shares_files(t))) {
        files_put(*mine);
        *mine = NULL;
    }
    return err;
}

static void
change_files(struct files *mine)
{
    struct thread *t = current_thread();

    spin_lock(&proc_lock); /* process_files_locked() looks at it */
    struct files *shared = t->files;

    t->files = mine;
    spin_unlock(&proc_lock);
    files_put(shared);
}

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static void
commit(struct exec *x, struct trapframe *tf)
{
    struct thread *t = current_thread();
    struct process *p = current_process(), *child;
    struct file *old_exe;

    files_close_on_exec(t->files);
    signal_reset_handlers(p);
    current_task()->altstack = (struct sigstack){.flags = SS_DISABLE};

    spin_lock(&proc_lock);
    strlcpy(t->name, base_name(x->path), THREAD_NAME_MAX);
    *t->cred = x->cred;
    apply_limits(t->space, p->rlimits); /* they may have changed since the space was made */
    old_exe = p->exe;
    p->exe = x->file;
    x->file = NULL;
    p->did_exec = true;
    if (x->secure)
        p->death_signal = 0;
    /* Neither the program that ends nor this one chose what is sent from here on: as on Linux. */
    p->exit_signal = SIGCHLD;
    list_for_each (child, &p->children, sibling)
        child->exit_signal = SIGCHLD;
    process_release_vfork_locked(p);
    spin_unlock(&proc_lock);
    file_put(old_exe);

    fpu_init_area(t->fpu);
    fpu_restore(t->fpu);
    cpu_set_user_fs(0);
    cpu_set_user_gs(0);
    memset(tf, 0, sizeof(*tf));
    tf->rip = x->entry;
    tf->rsp = x->sp;
    tf->cs = SEL_USER_CODE;
    tf->ss = SEL_USER_DATA;
    tf->rflags = RFLAGS_IF;
}

/* For the trace. */
static void
record(const struct exec *x, unsigned step)
{
    uint64_t name[2] = {0};

    if (!unlikely(trace_on))
        return;
    strlcpy((char *)name, base_name(x->path), sizeof(name));
    trace_exec(step, name[0], name[1]);
}

/* Everything after the strings: builds the space, changes over, commits or goes back. */
static int
replace_program(struct exec *x, struct trapframe *tf)
{
    struct files *mine;

    choose_owner(x);

    int err = make_space(x);

    if (err != 0)
        return err;
    x->old_space = current_thread()->space;
    switch_space(x->space);
    record(x, TRACE_EXEC_BEGINS);
    err = fill_space(x);
    if (err == 0)
        err = become_alone(&mine);
    if (err != 0) {
        switch_space(x->old_space);
        record(x, TRACE_EXEC_FAILED);
        space_put(x->space);
        return err;
    }
    if (mine != NULL)
        change_files(mine);
    if (x->old_space != NULL) {
        switch_space(x->old_space);
        task_release_words(current_task());
        switch_space(x->space);
        spin_lock(&proc_lock);
        process_keep_faults_locked(current_process(), x->old_space);
        spin_unlock(&proc_lock);
    }
    commit(x, tf);
    record(x, TRACE_EXEC_DONE);
    if (x->old_space != NULL)
        space_put(x->old_space);
    return 0;
}

static void
cleanup(struct exec *x, struct prefix *prefix)
{
    while (prefix->n > 0)
        kfree(prefix->words[--prefix->n]);
    args_free(&x->args);
    kfree(x->program.interpreter);
    kfree(x->path);
    file_put(x->file);
    file_put(x->script);
    kfree(x);
}

/* An exec with its file open, its path known and room for strings; NULL with *err. */
static struct exec *
exec_begin(struct file *f, char *path, int *err)
{
    struct exec *x = kzalloc(sizeof(*x));

    *err = -ENOMEM;
    if (x == NULL) {
        file_put(f);
        kfree(path);
        return NULL;
    }
    x->file = f;
    x->path = path;
    *err = file_check_exec(f);
    if (*err == 0)
        *err = args_init(&x->args, current_process()->rlimits[RLIMIT_STACK].soft);
    return x;
}

int
process_exec(int dirfd, vaddr_t upath, vaddr_t argv, vaddr_t envp, unsigned flags,
             struct trapframe *tf)
{
    struct prefix prefix = {.n = 0};
    struct file *f;
    char *path;
    int err = path_from_user(upath, flags & AT_EMPTY_PATH, &path);

    if (err != 0)
        return err;
    err = file_open_at(dirfd, path, flags, &f);
    if (err != 0) {
        kfree(path);
        return err;
    }

    struct exec *x = exec_begin(f, path, &err);

    if (x == NULL)
        return err;
    if (err == 0)
        err = follow_scripts(x, &prefix);
    if (err == 0)
        err = add_prefix(x, &prefix);
    if (err == 0) {
        int n = args_add_user(&x->args, argv, prefix.n > 0 ? 1 : 0);

        err = MIN(n, 0);
        x->args.argc += MAX(n, 0);
    }
    if (err == 0 && x->args.argc == 0) { /* as Linux since 5.18: argc is at least 1 */
        err = args_add(&x->args, "");
        x->args.argc = 1;
    }
    if (err == 0) {
        int n = args_add_user(&x->args, envp, 0);

        err = MIN(n, 0);
        x->args.envc = MAX(n, 0);
    }
    if (err == 0)
        err = args_add(&x->args, x->path);
    if (err == 0)
        err = replace_program(x, tf);
    cleanup(x, &prefix);
    return err;
}

int
process_exec_kernel(const char *path, const char *const *argv, const char *const *envp,
                    struct trapframe *tf)
{
    struct prefix prefix = {.n = 0};
    struct file *f;
    int err = file_open_path(path, &f);

    if (err != 0)
        return err;

    struct exec *x = exec_begin(f, kstrdup(path), &err);

    if (x == NULL)
        return err;
    if (err == 0)
        err = x->path == NULL ? -ENOMEM : read_head(x);
    for (; err == 0 && *argv != NULL; argv++, x->args.argc++)
        err = args_add(&x->args, *argv);
    for (; err == 0 && *envp != NULL; envp++, x->args.envc++)
        err = args_add(&x->args, *envp);
    if (err == 0)
        err = args_add(&x->args, path);
    if (err == 0)
        err = replace_program(x, tf);
    cleanup(x, &prefix);
    return err;
}
