/*
 * kmain.c - the order in which the kernel comes up.
 *
 * Each line needs what stands above it.  boot/ has left a log, traps that panic in words, and
 * temporary page tables; when kmain_thread ends, the first program runs.
 */
#include "kernel/kmain.h"

#include "boot/bootinfo.h"
#include "kernel/arch/ap.h"
#include "kernel/arch/apic.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/panic.h"
#include "kernel/dev/dev.h"
#include "kernel/fs/file.h"
#include "kernel/fs/super.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/random.h"
#include "kernel/proc/process.h"
#include "kernel/proc/procfs.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/sys/syscall.h"
#include "kernel/trace/trace.h"
#include "kernel/view/view.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/kvmap.h"
#include "mm/pagetable.h"
#include "mm/reclaim.h"
#include "mm/tlb.h"
#include "mm/tlbcheck.h"

static void *
map_registers(paddr_t pa, size_t len)
{
    return kvmap_device(pa, len, false);
}

/* Who was running, for the panic's page. */
static void
tell_who(void)
{
    const struct thread *t = current_thread();

    if (t != NULL)
        kprintf("  running: %s, pid %d\n", t->name,
                t->task != NULL ? t->task->process->pid : 0);
}

/* A write to a pipe that nobody reads any more, or to a file that is long enough. */
static void
raise_signal(int sig)
{
    if (current_process() != NULL)
        signal_send(current_process(), sig, NULL);
}

static void
shrink_caches(void)
{
    (void)fs_shrink_caches();
}

/* What may sleep: devices, disks, the first process. */
static void
kmain_thread(void *unused)
{
    char root[16] = "vda";

    (void)unused;
    sched_start_cpus();
    reclaim_init();
    commit_init();
    dev_init();
    fs_init();
    procfs_init();
    jobs_init();
    fs_set_signal_hook(raise_signal);
    reclaim_set_hooks(process_kill_largest, shrink_caches);
    view_init();
    (void)boot_option("root", root, sizeof(root));

    int err = fs_mount_root(root);

    if (err != 0)
        panic("no root disk: mounting %s failed with error %d. Give QEMU a disk made by `make "
              "disk` "
              "(-drive file=build/root.img,format=raw,if=virtio)",
              root, -err);
    fs_mount_all();
    usertrap_init();
    process_start_init();
    syscall_init();
}

void
kmain(void)
{
    char seed[64];

    dev_init_early();
    kprintf("Vitrine, started by %s: %lu MiB of RAM, command line \"%s\"\n", bootinfo.loader,
            bootinfo.ram_bytes / MIB, bootinfo.cmdline);
    frame_init();
    random_init(boot_option("seed", seed, sizeof(seed)) ? seed : NULL, cpu_entropy);
    pagetable_init_kernel();
    (void)pagetable_unmap_kernel((vaddr_t)boot_stack_guard);
    tlb_flush_kernel((vaddr_t)boot_stack_guard, 1);
    panic_set_walk_hook(pagetable_print_walk);
    panic_set_info_hook(tell_who);
    apic_init(map_registers);
    clock_init();
    trace_init();
    sched_init();
    tlb_init();
    tlbcheck_init();
    ap_init();

    struct thread *t = thread_create("kmain", kmain_thread, NULL);

    if (t == NULL)
        panic("no memory for the first thread");
    thread_start(t);
    sched_idle();
}
