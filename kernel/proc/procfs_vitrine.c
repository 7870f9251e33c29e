/*
 * procfs_vitrine.c - /proc/vitrine: where tests read what the memory system did.
 *
 *   check     vm_check() now: "ok" or the number of violations, which are in the log
 *   baseline  opened for writing: drops what is only cached and remembers what is in use
 *   leaks     opened: drops what is only cached and compares with the baseline
 *   frames    frames by owner
 *   faults    of all processes since boot, and what reclaim did
 *   strace    1: the system calls of the writer and of its children from now on are printed
 *
 * The counts are taken when baseline or leaks is opened, not when it is read or written: both
 * times the kernel then holds the same objects on behalf of the caller.  So a difference of one
 * object is a leak, if the same process opens both, was itself in the same state, and has made
 * no files in tmpfs since. What manages addresses of kernel stacks (kvmap_get_overhead) grows
 * with the most processes at once, and is taken off. Two counts may differ without a leak and
 * are not compared: slabs of kmalloc(), because a slab that holds one object is a frame as much
 * as a full one (the number of objects is compared), and free frames, which follow from them.
 */
#include "kernel/proc/procfs_internal.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/dev/block.h"
#include "kernel/fs/bdev.h"
#include "kernel/lib/string.h"
#include "mm/anon.h"
#include "mm/check.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/swap.h"

static const char *const owner_names[FRAME_OWNERS] = {
    [FRAME_FREE] = "free",           [FRAME_KERNEL] = "kernel", [FRAME_KMALLOC] = "kmalloc",
    [FRAME_PAGETABLE] = "pagetable", [FRAME_ANON] = "anon",     [FRAME_OBJECT] = "object",
    [FRAME_ZERO] = "zero",
};

/* What is in use at one moment. */
struct inventory {
    uint64_t frames[FRAME_OWNERS];
    uint64_t objects, anons, inodes, dentries, files;
    unsigned processes;
};

/* Both are written by who opens the files; two testers at once get what they deserve. */
static struct inventory baseline, latest;
static bool have_baseline;

/*
 * Each disk gets an object at its first use, for ever: made now, none
 * appears between two counts.
 */
static void
use_every_disk(void)
{
    struct block_device *dev;

    for (unsigned n = 0; (dev = block_get(n)) != NULL; n++)
        (void)!bdev_object(dev); /* no memory: it will be made later, and counted */
}

/* Writing back inodes makes pages of the disk dirty, so the pages go after the inodes. */
static void
drop_caches(void)
{
    fs_shrink_caches();
    reclaim_drop_caches();
}

static void
take_inventory(struct inventory *v)
{
    struct frame_stats f;
    uint64_t notes, tables;

    thread_await_exits();
    use_every_disk();
    drop_caches();
    thread_drop_spare_stacks();
    frame_get_stats(&f);
    memcpy(v->frames, f.by_owner, sizeof(v->frames));
    v->frames[FRAME_FREE] = f.free;
    kvmap_get_overhead(&notes, &tables);
    v->frames[FRAME_KERNEL] -= tables + swap_overhead();
    v->frames[FRAME_ANON] += anon_count_out(); /* a page is in use wherever its bytes are */
    v->objects = kmalloc_count() - notes - rmap_count(); /* mappings come and go with swap */
    v->anons = anon_count();
    v->inodes = inode_count();
    v->dentries = dentry_count();
    v->files = file_count();
    v->processes = process_count();
}

static int
open_baseline(struct proc_inode *i UNUSED, bool writes)
{
    if (writes) {
        take_inventory(&baseline);
        have_baseline = true;
    }
    return 0;
}

static int
write_baseline(struct proc_inode *i UNUSED, const char *text UNUSED, size_t n UNUSED)
{
    return 0; /* open did it */
}

static void
show_frames_of(const struct inventory *v, struct text *t)
{
    for (unsigned k = 0; k < FRAME_OWNERS; k++)
        text_printf(t, "%s %lu\n", owner_names[k], v->frames[k]);
}

static int
show_baseline(struct proc_inode *i UNUSED, struct text *t)
{
    if (!have_baseline)
        return -EAGAIN;
    show_frames_of(&baseline, t);
    text_printf(t, "objects %lu\nanons %lu\n", baseline.objects, baseline.anons);
    text_printf(t, "inodes %lu\ndentries %lu\n", baseline.inodes, baseline.dentries);
    text_printf(t, "files %lu\nprocesses %u\n", baseline.files, baseline.processes);
    return 0;
}

static int
open_leaks(struct proc_inode *i UNUSED, bool writes UNUSED)
{
    take_inventory(&latest);
    return 0;
}

/* Returns 1 if there is a difference, which it prints. */
static unsigned
compare(struct text *t, const char *name, uint64_t before, uint64_t now)
{
    if (before == now)
        return 0;
    text_printf(t, "%s: %lu before, %lu now\n", name, before, now);
    return 1;
}

static int
show_leaks(struct proc_inode *i UNUSED, struct text *t)
{
    unsigned differ = 0;

    if (!have_baseline)
        return -EAGAIN;
    for (unsigned k = 0; k < FRAME_OWNERS; k++)
        if (k != FRAME_FREE && k != FRAME_KMALLOC)
            differ += compare(t, owner_names[k], baseline.frames[k], latest.frames[k]);
    differ += compare(t, "objects", baseline.objects, latest.objects);
    differ += compare(t, "anons", baseline.anons, latest.anons);
    differ += compare(t, "inodes", baseline.inodes, latest.inodes);
    differ += compare(t, "dentries", baseline.dentries, latest.dentries);
    differ += compare(t, "files", baseline.files, latest.files);
    differ += compare(t, "processes", baseline.processes, latest.processes);
    if (differ == 0)
        text_printf(t, "none\n");
    return 0;
}

static int
show_check(struct proc_inode *i UNUSED, struct text *t)
{
    thread_await_exits(); /* what they give back is neither here nor there */

    unsigned violations = vm_check();

    if (violations == 0)
        text_printf(t, "ok\n");
    else
        text_printf(t, "%u violations\n", violations);
    return 0;
}

static int
show_frames(struct proc_inode *i UNUSED, struct text *t)
{
    struct frame_stats f;

    frame_get_stats(&f);
    text_printf(t, "total %lu\n", f.total);
    for (unsigned k = 0; k < FRAME_OWNERS; k++)
        text_printf(t, "%s %lu\n", owner_names[k], k == FRAME_FREE ? f.free : f.by_owner[k]);
    return 0;
}

static int
show_faults(struct proc_inode *i UNUSED, struct text *t)
{
    struct reclaim_stats r;

    mutex_lock(&vm_lock);
    proc_show_fault_counts(&fault_total, t);
    mutex_unlock(&vm_lock);
    reclaim_get_stats(&r);
    text_printf(t, "scanned %lu\nfreed %lu\nflushed %lu\noom_kills %lu\n", r.scanned, r.freed,
                r.flushed, r.oom_kills);
    return 0;
}

static int
show_policy(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%s\n", reclaim_policy());
    return 0;
}

static int
show_strace(struct proc_inode *i UNUSED, struct text *t)
{
    const struct process *p = current_process();

    text_printf(t, "%d\n", p != NULL && READ_ONCE(p->strace));
    return 0;
}

static int
write_strace(struct proc_inode *i UNUSED, const char *text, size_t n)
{
    struct process *p = current_process();

    if (n == 0 || (text[0] != '0' && text[0] != '1') || p == NULL)
        return -EINVAL;
    WRITE_ONCE(p->strace, text[0] == '1');
    return 0;
}

const struct proc_node proc_vitrine_table[] = {
    {.name = "baseline",
     .mode = PROC_FILE(0600),
     .open = open_baseline,
     .show = show_baseline,
     .write = write_baseline},
    {.name = "check", .mode = PROC_FILE(0400), .show = show_check},
    {.name = "faults", .mode = PROC_FILE(0444), .show = show_faults},
    {.name = "frames", .mode = PROC_FILE(0444), .show = show_frames},
    {.name = "leaks", .mode = PROC_FILE(0400), .open = open_leaks, .show = show_leaks},
    {.name = "policy", .mode = PROC_FILE(0444), .show = show_policy},
    {.name = "strace", .mode = PROC_FILE(0666), .show = show_strace, .write = write_strace},
    {0},
};
