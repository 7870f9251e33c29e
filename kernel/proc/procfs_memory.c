/*
 * procfs_memory.c - what a process has in memory: maps, smaps, statm, faults, cmdline, environ.
 *
 * The list of regions is read under space->lock, the counts of pages under vm_lock as well, so each
 * line is true at one moment.  Arguments and environment lie in the process's own memory: they
 * are read through its page table, page by page, with faults of its own where a page is away.
 */
#include "kernel/proc/procfs_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/fcntl.h"
#include "kernel/abi/mman.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/anon.h"
#include "mm/fault.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/object.h"
#include "mm/rmap.h"
#include "mm/space.h"

#define NAME_COLUMN 73 /* where the name stands in a line of maps */

/* ---- maps and smaps ---- */

/* What is counted of one region, in pages. */
struct residency {
    uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
    uint64_t anonymous, referenced, swapped;
    uint64_t share; /* bytes, each page divided by those who map it */
};

static void
count_page(struct residency *c, pte_t e)
{
    const struct frame *f = frame_of(pte_addr(e));

    if (f == frame_zero)
        return;
    unsigned n = MAX(rmap_mappings(f), 1U);
    bool dirty = (e.bits & PTE_D) != 0 || f->dirty || f->owner == FRAME_ANON;
    if (n > 1)
        *(dirty ? &c->shared_dirty : &c->shared_clean) += 1;
    else
        *(dirty ? &c->private_dirty : &c->private_clean) += 1;
    c->anonymous += f->owner == FRAME_ANON;
    c->referenced += (e.bits & PTE_A) != 0 || f->referenced;
    c->share += PAGE_SIZE / n;
}

/* space->lock held. */
static void
count_region(struct space *s, const struct region *r, struct residency *c)
{
    const struct anon *a;
    vaddr_t va;
    pte_t *e;

    memset(c, 0, sizeof(*c));
    mutex_lock(&vm_lock);
    pagetable_for_each (e, va, &s->pt, r->start, r->end)
        count_page(c, *e);
    for (uint64_t k = r->start >> PAGE_SHIFT;
         (a = radix_next(&s->private, &k, r->end >> PAGE_SHIFT)) != NULL; k++)
        c->swapped += a->frame == NULL;
    mutex_unlock(&vm_lock);
}

static const char *
region_label(const struct space *s, const struct region *r)
{
    if (r->heap)
        return "[heap]";
    if (r->grows_down && r->start < s->stack_top && s->stack_top <= r->end)
        return "[stack]";
    return "";
}

/* One line of maps. @path: PATH_MAX bytes to work in. space->lock held. */
static void
show_region(struct text *t, const struct space *s, const struct region *r, char *path)
{
    char line[128];
    dev_t dev = 0;
    ino_t ino = 0;

    path[0] = '\0';
    if (r->object != NULL && r->object->ops != NULL && r->object->ops->describe != NULL)
        r->object->ops->describe(r->object, path, PATH_MAX, &dev, &ino);
    const char *name = r->object != NULL ? path : region_label(s, r);
    int n = snprintf(
        line, sizeof(line), "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", r->start, r->end,
        (r->prot & PROT_READ) != 0 ? 'r' : '-', (r->prot & PROT_WRITE) != 0 ? 'w' : '-',
        (r->prot & PROT_EXEC) != 0 ? 'x' : '-', r->shared ? 's' : 'p',
        r->object != NULL ? r->offset * PAGE_SIZE : 0, DEV_MAJOR(dev), DEV_MINOR(dev), ino);
    text_write(t, line, (size_t)n);
    if (name[0] != '\0')
        text_printf(t, "%*s%s", n < NAME_COLUMN ? NAME_COLUMN - n : 0, "", name);
    text_printf(t, "\n");
}

static void
kib_line(struct text *t, const char *name, uint64_t pages)
{
    text_printf(t, "%-16s %10lu kB\n", name, pages * KIB_PER_PAGE);
}

static void
show_residency(struct text *t, struct space *s, const struct region *r)
{
    struct residency c;

    count_region(s, r, &c);
    uint64_t resident = c.shared_clean + c.shared_dirty + c.private_clean + c.private_dirty;
    kib_line(t, "Size:", (r->end - r->start) / PAGE_SIZE);
    kib_line(t, "KernelPageSize:", 1);
    kib_line(t, "MMUPageSize:", 1);
    kib_line(t, "Rss:", resident);
    text_printf(t, "%-16s %10lu kB\n", "Pss:", c.share / KIB);
    kib_line(t, "Shared_Clean:", c.shared_clean);
    kib_line(t, "Shared_Dirty:", c.shared_dirty);
    kib_line(t, "Private_Clean:", c.private_clean);
    kib_line(t, "Private_Dirty:", c.private_dirty);
    kib_line(t, "Referenced:", c.referenced);
    kib_line(t, "Anonymous:", c.anonymous);
    kib_line(t, "Swap:", c.swapped);
    text_printf(t, "%-16s %10lu kB\n", "Locked:", r->locked ? c.share / KIB : 0);
}

static int
show_regions(struct proc_inode *i, struct text *t, bool details)
{
    struct region *r;
    struct space *s;
    int err = proc_space(i, &s);

    if (err != 0)
        return err;
    char *path = kmalloc(PATH_MAX);
    if (s != NULL && path != NULL) {
        mutex_lock(&s->lock);
        region_for_each (r, s) {
            show_region(t, s, r, path);
            if (details)
                show_residency(t, s, r);
        }
        mutex_unlock(&s->lock);
    }
    if (s != NULL)
        space_put(s);
    err = path == NULL ? -ENOMEM : 0;
    kfree(path);
    return err;
}

int
proc_show_maps(struct proc_inode *i, struct text *t)
{
    return show_regions(i, t, false);
}

int
proc_show_smaps(struct proc_inode *i, struct text *t)
{
    return show_regions(i, t, true);
}

/* ---- sizes ---- */

void
proc_measure(struct space *s, struct proc_sizes *z)
{
    struct region *r;
    uint64_t exec = 0;

    memset(z, 0, sizeof(*z));
    mutex_lock(&s->lock);
    z->total = s->pages;
    z->locked = s->locked_pages;
    region_for_each (r, s) {
        uint64_t pages = (r->end - r->start) / PAGE_SIZE;
        if (r->grows_down)
            z->stack += pages;
        else if (region_is_data(r))
            z->data += pages;
        else if ((r->prot & PROT_EXEC) != 0 && r->object != NULL)
            exec += pages;
    }
    z->code = (page_ceil(s->code_end) - page_floor(s->code_start)) / PAGE_SIZE;
    z->library = exec - MIN(exec, z->code);
    mutex_unlock(&s->lock);
}

/* size resident shared text lib data dirty; a process without memory has seven zeros. */
int
proc_show_statm(struct proc_inode *i, struct text *t)
{
    struct space *s = process_space(i->process);
    struct proc_sizes z = {0};
    uint64_t anon = 0, file = 0;

    if (s != NULL) {
        proc_measure(s, &z);
        mutex_lock(&vm_lock);
        anon = s->resident_anon;
        file = s->resident_file;
        mutex_unlock(&vm_lock);
        space_put(s);
    }
    text_printf(t, "%lu %lu %lu %lu 0 %lu 0\n", z.total, anon + file, file, z.code,
                z.data + z.stack);
    return 0;
}

void
proc_show_fault_counts(const struct fault_counts *c, struct text *t)
{
    text_printf(t, "minor %lu\nmajor %lu\n", c->minor, c->major);
    for (unsigned k = 0; k < FAULT_KINDS; k++)
        text_printf(t, "%s %lu\n", fault_kind_names[k], c->kind[k]);
}

/*
 * What this process's faults did; a file of ours, not Linux's. Of the
 * present program since its exec.
 */
int
proc_show_faults(struct proc_inode *i, struct text *t)
{
    struct space *s = process_space(i->process);

    if (s == NULL)
        return -ESRCH;
    mutex_lock(&vm_lock);
    proc_show_fault_counts(&s->faults, t);
    text_printf(t, "resident_anon %lu\nresident_file %lu\n", s->resident_anon,
                s->resident_file);
    text_printf(t, "private_pages %lu\ntables %u\n", s->nprivate, s->pt.tables);
    mutex_unlock(&vm_lock);
    space_put(s);
    return 0;
}

/* ---- memory of another process ---- */

/* Adds the bytes [start, end) of @s to @t, as far as they can be read. 0, -ENOMEM. */
static int
show_memory(struct text *t, struct space *s, vaddr_t start, vaddr_t end)
{
    char *page = kmalloc(PAGE_SIZE);

    if (page == NULL)
        return -ENOMEM;
    while (start < end && !t->no_memory) {
        size_t n = MIN(end - start, PAGE_SIZE - (start & PAGE_MASK));
        if (vm_copy(s, start, page, n, PROT_READ) != 0)
            break; /* unmapped by its owner: what can be read is shown */
        text_write(t, page, n);
        start += n;
    }
    kfree(page);
    return 0;
}

/* @s: its reference is used up; NULL: of a zombie. */
static int
show_strings(struct space *s, struct text *t, bool environment)
{
    if (s == NULL)
        return 0;
    mutex_lock(&s->lock);
    vaddr_t start = environment ? s->env_start : s->arg_start;
    vaddr_t end = environment ? s->env_end : s->arg_end;
    mutex_unlock(&s->lock);
    int err = start <= end && end <= USER_TOP ? show_memory(t, s, start, end) : 0;
    space_put(s);
    return err;
}

int
proc_show_cmdline(struct proc_inode *i, struct text *t)
{
    return show_strings(process_space(i->process), t, false);
}

/* What is to be forgotten: that pages were used, of all or one kind; the peak of their number. */
enum { CLEAR_ALL = 1, CLEAR_ANON = 2, CLEAR_FILES = 3, CLEAR_PEAK = 5 };

static void
clear_refs(struct space *s, uint64_t what)
{
    struct tlb_batch b;
    struct region *r;

    tlb_batch_init(&b);
    mutex_lock(&s->lock);
    mutex_lock(&vm_lock);
    if (what == CLEAR_PEAK)
        s->resident_peak = s->resident_anon + s->resident_file;
    else
        region_for_each (r, s)
            if (what == CLEAR_ALL || (what == CLEAR_ANON) == (r->object == NULL))
                rmap_clear_accessed(s, r->start, r->end, &b);
    tlb_flush(&b);
    mutex_unlock(&vm_lock);
    mutex_unlock(&s->lock);
}

int
proc_write_clear_refs(struct proc_inode *i, const char *text, size_t n UNUSED)
{
    const char *end;
    uint64_t what = strtou64(text, &end, 0);
    struct space *s;
    int err = proc_space(i, &s);

    if (err != 0)
        return err;
    if (end == text || (*end != '\0' && strcmp(end, "\n") != 0) || what < CLEAR_ALL ||
        (what > CLEAR_FILES && what != CLEAR_PEAK))
        err = -EINVAL;
    if (s == NULL)
        return err;
    if (err == 0)
        clear_refs(s, what);
    space_put(s);
    return err;
}

int
proc_show_environ(struct proc_inode *i, struct text *t)
{
    struct space *s;
    int err = proc_space(i, &s);

    return err != 0 ? err : show_strings(s, t, true);
}
