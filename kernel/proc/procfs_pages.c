/*
 * procfs_pages.c - files of words about pages: pagemap and walk of a process, kpagecount and
 * kpageflags of the machine.
 *
 * Each file is an array indexed by the number of a page: of a virtual one in PID/pagemap and
 * PID/walk, of a frame in the others.  All but walk have Linux's format (proc(5), "admin-guide/mm/
 * pagemap"); walk has five words a page: the root and the four entries that the processor
 * reads.  Where frames lie is told to who opened the file as root; no address of the kernel
 * is in any of them.
 */
#include "kernel/proc/procfs_internal.h"

#include "boot/bootinfo.h"
#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "mm/anon.h"
#include "mm/frame.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/swap.h"

#define CHUNK 64 /* words that are made at once */

/* pagemap: the low 55 bits are the frame, or 5 bits of the swap area and the page in it. */
#define PM_EXCLUSIVE (1UL << 56) /* mapped here and nowhere else */
#define PM_FILE      (1UL << 61) /* of a file, or shared anonymous memory */
#define PM_SWAP      (1UL << 62)
#define PM_PRESENT   (1UL << 63)
#define PM_AREA_BITS 5

/* kpageflags: bit numbers as in Linux's kernel-page-flags.h. */
#define KPF(bit) (1UL << (bit))
enum {
    KPF_LOCKED = 0,
    KPF_REFERENCED = 2,
    KPF_UPTODATE = 3,
    KPF_DIRTY = 4,
    KPF_SLAB = 7,
    KPF_BUDDY = 10,
    KPF_MMAP = 11,
    KPF_ANON = 12,
    KPF_SWAPCACHE = 13,
    KPF_SWAPBACKED = 14,
    KPF_NOPAGE = 20,
    KPF_ZERO_PAGE = 24,
    KPF_PGTABLE = 26,
};

/* ---- reading ---- */

static int
pages_open(struct file *f)
{
    struct proc_inode *pi = container_of(f->inode, struct proc_inode, inode);
    int err = pi->process != NULL ? proc_may_look(pi) : 0;

    f->private = current_thread()->cred->fsuid == 0 ? f : NULL; /* not NULL: frames are told */
    return err;
}

static ssize_t
pages_read(struct file *f, struct uio *u, off_t *pos)
{
    struct proc_inode *pi = container_of(f->inode, struct proc_inode, inode);
    size_t size = pi->node->words * sizeof(uint64_t), start = u->left;
    uint64_t words[CHUNK];
    int err = 0;

    if (u->left % size != 0 || (uint64_t)*pos % size != 0)
        return -EINVAL;
    while (u->left > 0 && err == 0) {
        unsigned n = (unsigned)MIN(u->left / size, CHUNK / pi->node->words);

        memset(words, 0, sizeof(words));
        n = pi->node->pages(pi, (uint64_t)*pos / size, n, words, f->private != NULL);
        if (n == 0)
            break;
        err = uio_put(u, words, n * size);
        if (err == 0)
            *pos += (off_t)(n * size);
        if (current_thread()->interrupted) /* a short read; the next one goes on */
            break;
        sched_preempt();
    }
    return start != u->left ? (ssize_t)(start - u->left) : err;
}

static off_t
pages_seek(struct file *f, off_t off, int whence)
{
    return whence == SEEK_END ? -EINVAL : inode_seek(f->inode, f->offset, off, whence);
}

const struct file_ops proc_pages_file_ops = {
    .open = pages_open,
    .read = pages_read,
    .seek = pages_seek,
};

/* ---- pages of a process ---- */

static uint64_t
frame_word(const struct region *r, const struct frame *f, bool names)
{
    uint64_t word = PM_PRESENT | (names ? frame_addr(f) >> PAGE_SHIFT : 0);
    bool ours = f->owner == FRAME_ANON && !r->shared;

    if (f == frame_zero)
        return word;
    if (ours ? f->anon->refs == 1 : rmap_mappings(f) == 1)
        word |= PM_EXCLUSIVE;
    return ours ? word : word | PM_FILE;
}

/*
 * A private page that is in memory is present, whether or not it has an entry at the moment: the
 * page table is only a cache.  space->lock and vm_lock held.
 */
static uint64_t
pagemap_word(const struct space *s, vaddr_t va, bool names)
{
    const struct region *r = space_find(s, va);
    const pte_t *e = pagetable_find(&s->pt, va);

    if (r == NULL)
        return 0;
    if (e != NULL && pte_present(*e))
        return frame_word(r, frame_of(pte_addr(*e)), names);

    const struct anon *a = radix_get(&s->private, va >> PAGE_SHIFT);

    if (a == NULL || r->shared)
        return 0;
    if (a->frame != NULL)
        return frame_word(r, a->frame, names);
    return PM_SWAP | (names ? swap_area(a->slot) | swap_page(a->slot) << PM_AREA_BITS : 0);
}

/* The pages of [first, first + n) that user addresses have. */
static unsigned
user_pages(uint64_t first, unsigned n)
{
    uint64_t end = USER_TOP >> PAGE_SHIFT;

    return first < end ? (unsigned)MIN(n, end - first) : 0;
}

unsigned
proc_pagemap(struct proc_inode *i, uint64_t first, unsigned n, uint64_t *out, bool names)
{
    struct space *s;

    if (proc_space(i, &s) != 0 || s == NULL)
        return 0;
    n = user_pages(first, n);
    mutex_lock(&s->lock);
    mutex_lock(&vm_lock);
    for (unsigned k = 0; k < n; k++)
        out[k] = pagemap_word(s, (first + k) << PAGE_SHIFT, names);
    mutex_unlock(&vm_lock);
    mutex_unlock(&s->lock);
    space_put(s);
    return n;
}

unsigned
proc_walk(struct proc_inode *i, uint64_t first, unsigned n, uint64_t *out, bool names)
{
    struct space *s;
    uint64_t told = names ? UINT64_MAX : ~PTE_ADDR;

    if (proc_space(i, &s) != 0 || s == NULL)
        return 0;
    n = user_pages(first, n);
    mutex_lock(&vm_lock);
    for (unsigned k = 0; k < n; k++, out += PROC_WALK_WORDS) {
        pte_t way[PT_LEVELS];

        pagetable_walk(&s->pt, (first + k) << PAGE_SHIFT, way);
        out[0] = s->pt.root & told;
        for (unsigned level = 0; level < PT_LEVELS; level++)
            out[1 + level] = way[level].bits & told;
    }
    mutex_unlock(&vm_lock);
    space_put(s);
    return n;
}

/* ---- frames of the machine ---- */

static unsigned
machine_frames(uint64_t first, unsigned n)
{
    uint64_t end = bootinfo.ram_end >> PAGE_SHIFT;

    return first < end ? (unsigned)MIN(n, end - first) : 0;
}

unsigned
proc_kpagecount(struct proc_inode *i UNUSED, uint64_t first, unsigned n, uint64_t *out,
                bool names UNUSED)
{
    n = machine_frames(first, n);
    mutex_lock(&vm_lock);
    for (unsigned k = 0; k < n; k++)
        if (frame_exists((first + k) << PAGE_SHIFT))
            out[k] = rmap_mappings(frame_of((first + k) << PAGE_SHIFT));
    mutex_unlock(&vm_lock);
    return n;
}

static uint64_t
page_flags(const struct frame *f)
{
    uint64_t of_a_page = (f->maps != NULL ? KPF(KPF_MMAP) : 0) |
                         (f->dirty ? KPF(KPF_DIRTY) : 0) |
                         (f->referenced ? KPF(KPF_REFERENCED) : 0) |
                         (f->busy ? KPF(KPF_LOCKED) : KPF(KPF_UPTODATE));

    switch (f->owner) {
    case FRAME_FREE:
        return KPF(KPF_BUDDY);
    case FRAME_KMALLOC:
        return KPF(KPF_SLAB);
    case FRAME_PAGETABLE:
        return KPF(KPF_PGTABLE);
    case FRAME_ZERO:
        return KPF(KPF_ZERO_PAGE);
    case FRAME_ANON:
        return of_a_page | KPF(KPF_ANON) | KPF(KPF_SWAPBACKED) |
               (f->anon != NULL && f->anon->slot != 0 ? KPF(KPF_SWAPCACHE) : 0);
    case FRAME_OBJECT:
        return of_a_page;
    default:
        return 0;
    }
}

unsigned
proc_kpageflags(struct proc_inode *i UNUSED, uint64_t first, unsigned n, uint64_t *out,
                bool names UNUSED)
{
    n = machine_frames(first, n);
    mutex_lock(&vm_lock);
    for (unsigned k = 0; k < n; k++) {
        paddr_t pa = (first + k) << PAGE_SHIFT;

        out[k] = frame_exists(pa) ? page_flags(frame_of(pa)) : KPF(KPF_NOPAGE);
    }
    mutex_unlock(&vm_lock);
    return n;
}
