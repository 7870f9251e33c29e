/*
 * procfs_system.c - the files of /proc that are about the machine as a whole.
 *
 * Each function writes one file in the format of proc(5).  What this kernel does not count is left
 * out where readers allow that, and 0 where a line has fixed places.
 */
#include "kernel/proc/procfs_internal.h"

#include "boot/bootinfo.h"
#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/dev/block.h"
#include "kernel/fs/bdev.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "kernel/proc/identity.h"
#include "kernel/proc/sysvshm.h"
#include "kernel/sched/sched.h"
#include "mm/commit.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/space.h"
#include "mm/swap.h"
#include "mm/tlb.h"

/* ---- memory ---- */

/* Pages of the disks' own objects: what Linux calls buffers. */
static uint64_t
buffer_pages(void)
{
    uint64_t pages = 0;
    struct block_device *dev;

    for (unsigned n = 0; (dev = block_get(n)) != NULL; n++) {
        struct object *o = bdev_object(dev);
        if (o != NULL)
            pages += READ_ONCE(o->npages);
    }
    return pages;
}

static void
kib_line(struct text *t, const char *name, uint64_t pages)
{
    text_printf(t, "%-15s %8lu kB\n", name, pages * KIB_PER_PAGE);
}

static int
show_meminfo(struct proc_inode *i UNUSED, struct text *t)
{
    struct frame_stats f;
    struct reclaim_stats r;
    uint64_t buffers = buffer_pages();

    frame_get_stats(&f);
    reclaim_get_stats(&r);
    uint64_t files = f.by_owner[FRAME_OBJECT];
    buffers = MIN(buffers, files);
    uint64_t could_be_free = f.free + r.queue;

    kib_line(t, "MemTotal:", f.total);
    kib_line(t, "MemFree:", f.free);
    kib_line(t, "MemAvailable:", could_be_free - MIN(could_be_free, r.low));
    kib_line(t, "Buffers:", buffers);
    kib_line(t, "Cached:", files - buffers);
    kib_line(t, "SwapCached:", 0);
    kib_line(t, "SwapTotal:", swap_slots());
    kib_line(t, "SwapFree:", swap_free_slots());
    kib_line(t, "Dirty:", READ_ONCE(object_dirty_pages));
    kib_line(t, "AnonPages:", f.by_owner[FRAME_ANON]);
    kib_line(t, "Shmem:", 0);
    kib_line(t, "Slab:", f.by_owner[FRAME_KMALLOC]);
    kib_line(t, "SReclaimable:", 0);
    kib_line(t, "PageTables:", f.by_owner[FRAME_PAGETABLE]);
    kib_line(t, "CommitLimit:", commit_limit());
    kib_line(t, "Committed_AS:", commit_total());
    return 0;
}

static int
show_vmstat(struct proc_inode *i UNUSED, struct text *t)
{
    struct frame_stats f;
    struct reclaim_stats r;
    struct fault_counts c;

    frame_get_stats(&f);
    reclaim_get_stats(&r);
    mutex_lock(&vm_lock);
    c = fault_total;
    mutex_unlock(&vm_lock);
    text_printf(t, "nr_free_pages %lu\n", f.free);
    text_printf(t, "nr_anon_pages %lu\n", f.by_owner[FRAME_ANON]);
    text_printf(t, "nr_file_pages %lu\n", f.by_owner[FRAME_OBJECT]);
    text_printf(t, "nr_page_table_pages %lu\n", f.by_owner[FRAME_PAGETABLE]);
    text_printf(t, "nr_dirty %lu\n", READ_ONCE(object_dirty_pages));
    text_printf(t, "pswpin %lu\n", swap_pages_in);
    text_printf(t, "pswpout %lu\n", swap_pages_out);
    text_printf(t, "pgfault %lu\n", c.minor + c.major);
    text_printf(t, "pgmajfault %lu\n", c.major);
    text_printf(t, "pgscan_kswapd %lu\n", r.scanned);
    text_printf(t, "pgsteal_kswapd %lu\n", r.freed);
    text_printf(t, "oom_kill %lu\n", r.oom_kills);
    text_printf(t, "nr_tlb_local_flush_all %lu\n", tlb_stats.all);
    text_printf(t, "nr_tlb_local_flush_one %lu\n", tlb_stats.pages);
    text_printf(t, "nr_tlb_remote_flush %lu\n", tlb_stats.shootdowns);
    text_printf(t, "nr_tlb_remote_flush_received %lu\n", tlb_stats.messages);
    for (unsigned k = 0; k < FAULT_KINDS; k++)
        text_printf(t, "fault_%s %lu\n", fault_kind_names[k], c.kind[k]);
    return 0;
}

static int
show_swaps(struct proc_inode *i UNUSED, struct text *t)
{
    struct swap_info s;

    text_printf(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    for (unsigned n = 0; swap_get_info(n, &s); n++)
        text_printf(t, "/dev/%-34s partition\t%lu\t\t%lu\t\t%d\n", s.name, s.pages * 4,
                    s.used * 4, s.priority);
    return 0;
}

/* ---- time and load ---- */

static nsec_t
idle_time_of(const struct cpu *c)
{
    nsec_t user, system;

    thread_times(c->idle, &user, &system);
    return user + system;
}

/* Of all CPUs together. */
static nsec_t
idle_time(void)
{
    nsec_t sum = 0;

    for (unsigned n = 0; n < cpu_count; n++)
        sum += idle_time_of(cpus[n]);
    return sum;
}

static int
show_uptime(struct proc_inode *i UNUSED, struct text *t)
{
    nsec_t now = clock_now(), idle = idle_time();

    text_printf(t, "%lu.%02lu %lu.%02lu\n", now / NSEC_PER_SEC,
                now / NSEC_PER_TICK % TICKS_PER_SEC, idle / NSEC_PER_SEC,
                idle / NSEC_PER_TICK % TICKS_PER_SEC);
    return 0;
}

struct totals {
    nsec_t user;
    pid_t youngest; /* the table is in order of age */
    unsigned tasks;
};

static void
add_process(struct process *p, void *arg)
{
    struct totals *sum = arg;
    nsec_t user, system;

    process_times_locked(p, &user, &system);
    sum->user += user + p->child_user;
    sum->tasks += p->ntasks;
    sum->youngest = p->pid;
}

static struct totals
total_processes(void)
{
    struct totals sum = {0};

    spin_lock(&proc_lock);
    process_for_each_locked(add_process, &sum);
    spin_unlock(&proc_lock);
    return sum;
}

static int
show_loadavg(struct proc_inode *i UNUSED, struct text *t)
{
    struct totals sum = total_processes();
    uint64_t load[3];

    sched_loadavg(load);
    for (unsigned k = 0; k < 3; k++) {
        uint64_t l = load[k] + 2048 / 200; /* rounds to hundredths */
        text_printf(t, "%lu.%02lu ", l >> 11, (l & 2047) * 100 >> 11);
    }
    text_printf(t, "%u/%u %d\n", sched_runnable(), sum.tasks, sum.youngest);
    return 0;
}

/* Ticks that one CPU, or all, spent. */
static void
cpu_line(struct text *t, uint64_t user, uint64_t busy, uint64_t idle)
{
    text_printf(t, " %lu 0 %lu %lu 0 0 0 0 0 0\n", user, busy - user, idle);
}

/*
 * User time is what processes have; all else that is not idle is the system's.  SIMPLE: which CPU
 * spent it is not counted, so each has its part of it by how busy it was.
 */
static int
show_stat(struct proc_inode *i UNUSED, struct text *t)
{
    struct totals sum = total_processes();
    nsec_t now = clock_now();
    uint64_t each = now / NSEC_PER_TICK, all = each * cpu_count,
             idle = idle_time() / NSEC_PER_TICK;
    uint64_t busy = all - MIN(all, idle), user = MIN(sum.user / NSEC_PER_TICK, busy);

    text_printf(t, "cpu ");
    cpu_line(t, user, busy, idle);
    for (unsigned n = 0; n < cpu_count; n++) {
        uint64_t idle_n = idle_time_of(cpus[n]) / NSEC_PER_TICK;
        uint64_t busy_n = each - MIN(each, idle_n);

        text_printf(t, "cpu%u", n);
        cpu_line(t, user * busy_n / MAX(busy, busy_n + (busy_n == 0)), busy_n, idle_n);
    }
    text_printf(t, "ctxt %lu\n", sched_switches());
    text_printf(t, "btime %lu\n", (clock_realtime() - now) / NSEC_PER_SEC);
    text_printf(t, "processes %d\n", sum.youngest); /* pids rise until they wrap */
    text_printf(t, "procs_running %u\nprocs_blocked 0\n", sched_runnable());
    return 0;
}

/* ---- the machine ---- */

static int
show_version(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%s version %s (cc %s) %s\n", IDENTITY_SYSNAME, IDENTITY_RELEASE,
                __VERSION__, IDENTITY_VERSION);
    return 0;
}

static int
show_boot_cmdline(struct proc_inode *i UNUSED, struct text *t)
{
    text_printf(t, "%s\n", bootinfo.cmdline);
    return 0;
}

/* The names of CPUID's bits that programs look for: leaf, register (0 EAX .. 3 EDX), bit. */
static const struct {
    uint32_t leaf;
    uint8_t reg, bit;
    const char *name;
} cpu_flags[] = {
    {1, 3, 0, "fpu"},          {1, 3, 4, "tsc"},          {1, 3, 6, "pae"},
    {1, 3, 8, "cx8"},          {1, 3, 15, "cmov"},        {1, 3, 23, "mmx"},
    {1, 3, 24, "fxsr"},        {1, 3, 25, "sse"},         {1, 3, 26, "sse2"},
    {1, 2, 0, "pni"},          {1, 2, 9, "ssse3"},        {1, 2, 12, "fma"},
    {1, 2, 13, "cx16"},        {1, 2, 19, "sse4_1"},      {1, 2, 20, "sse4_2"},
    {1, 2, 22, "movbe"},       {1, 2, 23, "popcnt"},      {1, 2, 25, "aes"},
    {1, 2, 26, "xsave"},       {1, 2, 28, "avx"},         {1, 2, 30, "rdrand"},
    {1, 2, 31, "hypervisor"},  {7, 1, 0, "fsgsbase"},     {7, 1, 3, "bmi1"},
    {7, 1, 5, "avx2"},         {7, 1, 7, "smep"},         {7, 1, 8, "bmi2"},
    {7, 1, 20, "smap"},        {7, 2, 2, "umip"},         {0x80000001, 3, 11, "syscall"},
    {0x80000001, 3, 20, "nx"}, {0x80000001, 3, 29, "lm"},
};

static void
show_cpu_flags(struct text *t)
{
    text_printf(t, "flags\t\t:");
    for (unsigned k = 0; k < ARRAY_SIZE(cpu_flags); k++) {
        uint32_t regs[4], most[4];

        cpuid(cpu_flags[k].leaf & 0x80000000U, 0, most);
        if (cpu_flags[k].leaf > most[0])
            continue;
        cpuid(cpu_flags[k].leaf, 0, regs);
        if ((regs[cpu_flags[k].reg] >> cpu_flags[k].bit & 1) != 0)
            text_printf(t, " %s", cpu_flags[k].name);
    }
    text_printf(t, "\n");
}

static int
show_cpuinfo(struct proc_inode *i UNUSED, struct text *t)
{
    uint32_t id[4], v[4], brand[13] = {0};

    cpuid(0, 0, id);
    cpuid(1, 0, v);
    unsigned family = v[0] >> 8 & 15, model = v[0] >> 4 & 15;
    if (family == 6 || family == 15)
        model |= v[0] >> 12 & 0xf0;
    if (family == 15)
        family += v[0] >> 20 & 0xff;
    for (uint32_t k = 0; k < 3; k++)
        cpuid(0x80000002U + k, 0, brand + 4 * k);

    for (unsigned c = 0; c < cpu_count; c++) {
        text_printf(t, "processor\t: %u\nvendor_id\t: %.4s%.4s%.4s\n", c, (char *)&id[1],
                    (char *)&id[3], (char *)&id[2]);
        text_printf(t, "cpu family\t: %u\nmodel\t\t: %u\n", family, model);
        text_printf(t, "model name\t: %s\nstepping\t: %u\n", (char *)brand, v[0] & 15);
        show_cpu_flags(t);
        text_printf(t, "\n");
    }
    return 0;
}

static int
show_partitions(struct proc_inode *i UNUSED, struct text *t)
{
    struct block_device *dev;

    text_printf(t, "major minor  #blocks  name\n\n");
    for (unsigned n = 0; (dev = block_get(n)) != NULL; n++)
        text_printf(t, "%4u  %7u %10lu %s\n", DEV_MAJOR(bdev_number(dev)),
                    DEV_MINOR(bdev_number(dev)), dev->sectors * SECTOR_SIZE / KIB, dev->name);
    return 0;
}

/* The log as it is now. Unlike Linux's, a read does not wait for more. */
static int
show_kmsg(struct proc_inode *i UNUSED, struct text *t)
{
    char *buf = kmalloc(1024);
    uint64_t pos = 0;
    size_t n;

    if (buf == NULL)
        return -ENOMEM;
    while ((n = log_read(&pos, buf, 1024)) > 0)
        text_write(t, buf, n);
    kfree(buf);
    return 0;
}

/* ---- file systems ---- */

static void
mount_line(struct super *s, const char *path, void *t)
{
    const char *source = s->source[0] != '\0' ? s->source : s->type->name;
    const char *dev = s->type->needs_device && source[0] != '/' ? "/dev/" : "";

    text_printf(t, "%s%s %s %s %s,relatime 0 0\n", dev, source, path, s->type->name,
                (s->flags & SUPER_READ_ONLY) != 0 ? "ro" : "rw");
}

int
proc_show_mounts(struct proc_inode *i UNUSED, struct text *t)
{
    fs_for_each_mount(mount_line, t);
    return 0;
}

static ssize_t
read_mounts_link(struct proc_inode *i UNUSED, char *buf, size_t size)
{
    return (ssize_t)MIN(strlcpy(buf, "self/mounts", size), size);
}

struct types {
    struct text *text;
    const struct fs_type *seen[8];
    unsigned count;
};

static void
type_line(struct super *s, const char *path UNUSED, void *arg)
{
    struct types *types = arg;

    for (unsigned k = 0; k < types->count; k++)
        if (types->seen[k] == s->type)
            return;
    if (types->count < ARRAY_SIZE(types->seen))
        types->seen[types->count++] = s->type;
    text_printf(types->text, "%s\t%s\n", s->type->needs_device ? "" : "nodev", s->type->name);
}

/* The kinds in use: the kernel mounts one of each kind at boot. */
static int
show_filesystems(struct proc_inode *i UNUSED, struct text *t)
{
    struct types types = {.text = t};

    fs_for_each_mount(type_line, &types);
    return 0;
}

static int
show_shm(struct proc_inode *i UNUSED, struct text *t)
{
    sysvshm_show(t);
    return 0;
}

static const struct proc_node sysvipc_table[] = {
    {.name = "shm", .mode = PROC_FILE(0444), .show = show_shm},
    {0},
};

const struct proc_node proc_root_table[] = {
    {.name = "cmdline", .mode = PROC_FILE(0444), .show = show_boot_cmdline},
    {.name = "cpuinfo", .mode = PROC_FILE(0444), .show = show_cpuinfo},
    {.name = "filesystems", .mode = PROC_FILE(0444), .show = show_filesystems},
    {.name = "kmsg", .mode = PROC_FILE(0400), .show = show_kmsg},
    {.name = "kpagecount", .mode = PROC_FILE(0400), .words = 1, .pages = proc_kpagecount},
    {.name = "kpageflags", .mode = PROC_FILE(0400), .words = 1, .pages = proc_kpageflags},
    {.name = "loadavg", .mode = PROC_FILE(0444), .show = show_loadavg},
    {.name = "meminfo", .mode = PROC_FILE(0444), .show = show_meminfo},
    {.name = "mounts", .mode = PROC_LINK(0777), .readlink = read_mounts_link},
    {.name = "partitions", .mode = PROC_FILE(0444), .show = show_partitions},
    {.name = "self", .mode = PROC_LINK(0777), .readlink = proc_read_self},
    {.name = "stat", .mode = PROC_FILE(0444), .show = show_stat},
    {.name = "swaps", .mode = PROC_FILE(0444), .show = show_swaps},
    {.name = "sys", .mode = PROC_DIR(0555), .children = proc_sys_table},
    {.name = "sysvipc", .mode = PROC_DIR(0555), .children = sysvipc_table},
    {.name = "thread-self", .mode = PROC_LINK(0777), .readlink = proc_read_thread_self},
    {.name = "uptime", .mode = PROC_FILE(0444), .show = show_uptime},
    {.name = "version", .mode = PROC_FILE(0444), .show = show_version},
    {.name = "vitrine", .mode = PROC_DIR(0555), .children = proc_vitrine_table},
    {.name = "vmstat", .mode = PROC_FILE(0444), .show = show_vmstat},
    {0},
};
