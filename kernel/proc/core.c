/*
 * core.c - core dumps: the memory and registers of a dying program as an ELF file.
 *
 *     ELF header | PT_NOTE, PT_LOAD... | notes | pages
 *                  one for each region   registers, siginfo, auxv, names of mapped files
 *
 * The dying thread writes its own memory, as write(2) would: a page in swap comes in by a fault
 * and may go out again, so a dump needs no more memory than it finds.  What was never touched is
 * a hole in the file.
 *
 * Another process may share the memory (vfork) and change regions meanwhile.  So the table of
 * segments, once written, counts: it is read back from the file when the pages' turn comes.
 *
 * Called by signal.c.  Sources: System V gABI chapter 5; core(5) for what Linux puts in.
 */
#include "kernel/proc/core.h"

#include "kernel/abi/core.h"
#include "kernel/abi/elf.h"
#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/abi/sched.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/file.h"
#include "kernel/fs/text.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/sched/sched.h"
#include "mm/kmalloc.h"
#include "mm/object.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/space.h"

#define HEADER_ONLY   1 /* size of a segment: a page, if it begins an ELF file */
#define SEGMENT_AT(i) (sizeof(struct elf_header) + (i) * sizeof(struct elf_phdr))

struct core {
    const struct siginfo *info;
    struct space *space;
    struct text notes;
    struct file *file;
    char *path;        /* PATH_MAX bytes: the name of the core; in between, to work in */
    off_t pos;         /* where the next byte goes */
    uint64_t left;     /* bytes that RLIMIT_CORE still allows */
    unsigned segments; /* the one of the notes not counted */
};

/* ---- writing ---- */

/* SIGKILL, or out of memory: the process is to end now. */
static bool
hurried(const struct core *c)
{
    const struct task *t = current_task();

    return c->space->dying ||
           ((READ_ONCE(t->pending.set) | READ_ONCE(t->process->pending.set)) & SIGBIT(SIGKILL));
}

/*
 * Writes @n bytes at c->pos, from kernel memory, or from the user's own. 0; -EFAULT: they cannot
 * be read; other errors end the dump.
 */
static int
put(struct core *c, uint64_t from, size_t n, bool user)
{
    if (n > c->left)
        return -EFBIG;
    while (n > 0) {
        struct iovec iov;
        struct uio u;

        if (user)
            uio_init_user(&u, &iov, from, n);
        else
            uio_init_kernel(&u, &iov, (void *)from, n);

        ssize_t done = hurried(c) ? -EINTR : file_write(c->file, &u, &c->pos);

        if (done == -ENOMEM && reclaim_wait(c->space) == 0)
            continue;
        if (done <= 0)
            return done < 0 ? (int)done : -EIO;
        from += (size_t)done;
        n -= (size_t)done;
        c->left -= (size_t)done;
    }
    return 0;
}

static int
put_kernel(void *c, const void *bytes, size_t n)
{
    return put(c, (uint64_t)bytes, n, false);
}

/* ---- segments ---- */

/* Memory with a name in a file system: not what processes alone share. @path: to work in. */
static bool
has_name(struct object *o, char *path)
{
    static const char deleted[] = " (deleted)";
    dev_t dev;
    ino_t ino;

    o->ops->describe(o, path, PATH_MAX, &dev, &ino);

    size_t n = strlen(path), end = sizeof(deleted) - 1;

    return n < end || strcmp(path + n - end, deleted) != 0;
}

/* How many bytes of a region the filter lets in, or HEADER_ONLY. space->lock held. */
static uint64_t
wanted_size(const struct core *c, const struct region *r)
{
    uint32_t filter = c->space->core_filter;

    if (r->shared)
        filter &= has_name(r->object, c->path) ? CORE_MAPPED_SHARED : CORE_ANON_SHARED;
    // LAB core/3 begin -- @nothing
    uint64_t whole = r->end - r->start, i = r->start >> PAGE_SHIFT;

    if (r->dont_dump)
        return 0;
    if (r->shared)
        return filter != 0 ? whole : 0;
    if ((filter & CORE_ANON_PRIVATE) &&
        radix_next(&c->space->private, &i, r->end >> PAGE_SHIFT) != NULL)
        return whole; /* all of it, also what is as in the file */
    if (r->object == NULL)
        return 0;
    if (filter & CORE_MAPPED_PRIVATE)
        return whole;
    return (filter & CORE_ELF_HEADERS) && r->offset == 0 ? HEADER_ONLY : 0;
    // LAB end
}

static bool
begins_an_elf_file(vaddr_t va)
{
    char magic[4];

    return copy_from_user(magic, va, sizeof(magic)) == 0 && memcmp(magic, "\177ELF", 4) == 0;
}

/*
 * The segment for the region that ends first behind @va.
 * @mine: nobody else runs in this memory, so what nobody may read can be made readable.
 */
static void
make_segment(struct core *c, vaddr_t va, bool mine, struct elf_phdr *p)
{
    *p = (struct elf_phdr){0}; /* PT_NULL: there is none any more */
    mutex_lock(&c->space->lock);
    struct region *r = space_find_from(c->space, va);

    if (r != NULL) {
        // LAB core/3 begin -- @segment
        *p = (struct elf_phdr){
            .type = PT_LOAD,
            .flags = (r->prot & PROT_READ ? PF_R : 0) | (r->prot & PROT_WRITE ? PF_W : 0) |
                     (r->prot & PROT_EXEC ? PF_X : 0),
            .vaddr = r->start,
            .filesz = wanted_size(c, r),
            .memsz = r->end - r->start,
            .align = PAGE_SIZE,
        };
        // LAB end
        if (r->prot == PROT_NONE && mine)
            r->prot = PROT_READ;
    }
    mutex_unlock(&c->space->lock);
    if (p->filesz == HEADER_ONLY)
        p->filesz = begins_an_elf_file(p->vaddr) ? PAGE_SIZE : 0;
}

static int
put_headers(struct core *c)
{
    struct elf_header h = {
        .ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
        .type = ET_CORE,
        .machine = EM_X86_64,
        .version = 1,
        .phoff = sizeof(h),
        .ehsize = sizeof(h),
        .phentsize = sizeof(struct elf_phdr),
        .phnum = (uint16_t)(c->segments + 1),
    };
    struct elf_phdr p = {
        .type = PT_NOTE, .offset = SEGMENT_AT(c->segments + 1), .filesz = c->notes.length};
    uint64_t offset = page_ceil(p.offset + p.filesz);
    vaddr_t va = 0;
    int err = put_kernel(c, &h, sizeof(h));

    STATIC_ASSERT(REGIONS_MAX + 1 < 0xffff); /* from there on the count stands elsewhere */
    spin_lock(&proc_lock);
    bool mine = !process_shares_space_locked(current_process());
    spin_unlock(&proc_lock);
    if (err == 0)
        err = put_kernel(c, &p, sizeof(p));
    for (unsigned i = 0; i < c->segments && err == 0; i++) {
        make_segment(c, va, mine, &p);
        p.offset = offset;
        offset += p.filesz;
        va = MAX(va, p.vaddr + p.memsz);
        err = put_kernel(c, &p, sizeof(p));
    }
    return err;
}

/* ---- pages ---- */

/*
 * Moves *va to the first page in [*va, end), which lies in @r, that has bytes. False: none has.
 * space->lock held.
 */
static bool
next_in_region(struct space *s, const struct region *r, vaddr_t *va, vaddr_t end)
{
    uint64_t first = *va >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
    uint64_t own = first, offset = r->offset + first - (r->start >> PAGE_SHIFT);
    uint64_t theirs = offset;
    struct object *o = r->object;

    if (r->shared || radix_next(&s->private, &own, last) == NULL)
        own = last;
    mutex_lock(&vm_lock);
    if (o == NULL || object_beyond_end(o, offset) ||
        (o->kind == OBJECT_SHM &&
         radix_next(&o->pages, &theirs, offset + last - first) == NULL))
        theirs = offset + last - first;
    mutex_unlock(&vm_lock);
    *va = MIN(own, first + theirs - offset) << PAGE_SHIFT;
    return *va < end;
}

static bool
next_page(struct space *s, vaddr_t *va, vaddr_t end)
{
    bool found = false;

    mutex_lock(&s->lock);
    for (struct region *r = space_find_from(s, *va); r != NULL && r->start < end && !found;
         r = region_next(s, r)) {
        *va = MAX(*va, r->start);
        found = next_in_region(s, r, va, MIN(end, r->end));
    }
    mutex_unlock(&s->lock);
    return found;
}

/* A page that cannot be had, because of its disk or the end of its file, is a hole. */
static int
put_segment(struct core *c, const struct elf_phdr *p)
{
    vaddr_t end = p->vaddr + p->filesz;

    for (vaddr_t va = p->vaddr; next_page(c->space, &va, end); va += PAGE_SIZE) {
        // LAB core/4 begin
        c->pos = (off_t)(p->offset + (va - p->vaddr));

        int err = put(c, va, PAGE_SIZE, true);

        if (err != 0 && err != -EFAULT)
            return err;
        // LAB end
        sched_preempt();
    }
    return 0;
}

static int
put_pages(struct core *c)
{
    struct elf_phdr p = {0};

    for (unsigned i = 1; i <= c->segments; i++) {
        ssize_t n = inode_read_kernel(c->file->inode, &p, sizeof(p), (off_t)SEGMENT_AT(i));
        int err = n == sizeof(p) ? put_segment(c, &p) : n < 0 ? (int)n : -EIO;

        if (err != 0)
            return err;
    }
    /* What ends with a hole ends there all the same. */
    return p.offset + p.filesz > inode_size(c->file->inode)
               ? inode_truncate(c->file->inode, p.offset + p.filesz)
               : 0;
}

/* ---- the whole ---- */

/* The notes, if need be after others gave up some memory. */
static int
prepare(struct core *c)
{
    for (;;) {
        core_notes(&c->notes, c->info);
        if (!c->notes.no_memory)
            return 0;
        text_free(&c->notes);
        if (reclaim_wait(c->space) != 0)
            return -ENOMEM;
    }
}

static int
write_all(struct core *c)
{
    mutex_lock(&c->space->lock);
    c->segments = c->space->nregions;
    mutex_unlock(&c->space->lock);

    int err = put_headers(c);

    if (err == 0)
        err = text_each(&c->notes, put_kernel, c);
    return err != 0 ? err : put_pages(c);
}

/* One line for the log. */
static void
tell(const struct core *c, int err)
{
    const char *name = current_thread()->name;
    int pid = current_process()->pid, sig = c->info->signo;

    if (c->file != NULL)
        (void)file_path(c->file, c->path, PATH_MAX);
    if (c->file == NULL)
        kprintf("%s[%d]: signal %d; no core: error %d for %s\n", name, pid, sig, -err, c->path);
    else if (err != 0)
        kprintf("%s[%d]: signal %d; core dumped to %s, cut short (error %d)\n", name, pid, sig,
                c->path, -err);
    else
        kprintf("%s[%d]: signal %d; core dumped to %s\n", name, pid, sig, c->path);
}

bool
core_dump(const struct siginfo *info)
{
    struct core c = {
        .info = info,
        .space = current_thread()->space,
        .left = current_process()->rlimits[RLIMIT_CORE].soft,
    };

    if (c.left < PAGE_SIZE || !c.space->dumpable || (c.path = kmalloc(PATH_MAX)) == NULL)
        return false;

    int err = core_name(c.path, PATH_MAX, info->signo);

    if (err == 0)
        err = prepare(&c);
    if (err == 0)
        err = file_replace_path(c.path, 0600, &c.file);
    if (err == 0)
        err = write_all(&c);
    tell(&c, err);
    text_free(&c.notes);
    kfree(c.path);
    if (c.file == NULL)
        return false;
    file_put(c.file);
    return true;
}
