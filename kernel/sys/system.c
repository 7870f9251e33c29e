/*
 * system.c - the system calls about the machine as a whole: its name, its state, its end.
 */
#include "kernel/sys/table.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/super.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/random.h"
#include "kernel/lib/string.h"
#include "kernel/proc/identity.h"
#include "kernel/proc/process.h"
#include "kernel/sched/sched.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/object.h"
#include "mm/space.h"
#include "mm/swap.h"

#define UTS_LENGTH 65

struct utsname {
    char sysname[UTS_LENGTH], nodename[UTS_LENGTH], release[UTS_LENGTH], version[UTS_LENGTH],
        machine[UTS_LENGTH], domain[UTS_LENGTH];
};

int64_t
sys_uname(const uint64_t a[6])
{
    struct utsname u = {.sysname = IDENTITY_SYSNAME,
                        .release = IDENTITY_RELEASE,
                        .version = IDENTITY_VERSION,
                        .machine = IDENTITY_MACHINE,
                        .domain = "(none)"};

    identity_get_hostname(u.nodename);
    return copy_to_user(a[0], &u, sizeof(u));
}

int64_t
sys_sethostname(const uint64_t a[6])
{
    char name[HOSTNAME_MAX];

    if (!cred_privileged(current_thread()->cred))
        return -EPERM;
    if (a[1] > sizeof(name))
        return -EINVAL;
    if (copy_from_user(name, a[0], a[1]) != 0)
        return -EFAULT;
    return identity_set_hostname(name, a[1]);
}

struct sysinfo {
    int64_t uptime;
    uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad;
    uint32_t pad2;
    uint64_t totalhigh, freehigh;
    uint32_t mem_unit, pad3;
};

STATIC_ASSERT(sizeof(struct sysinfo) == 112);

int64_t
sys_sysinfo(const uint64_t a[6])
{
    struct sysinfo s;
    struct frame_stats f;

    memset(&s, 0, sizeof(s));
    frame_get_stats(&f);
    sched_loadavg(s.loads);
    for (unsigned i = 0; i < 3; i++)
        s.loads[i] <<= 5; /* 16 fraction bits */
    s.uptime = (int64_t)(clock_now() / NSEC_PER_SEC);
    s.totalram = f.total * PAGE_SIZE;
    s.freeram = f.free * PAGE_SIZE;
    s.totalswap = swap_slots() * PAGE_SIZE;
    s.freeswap = swap_free_slots() * PAGE_SIZE;
    s.procs = (uint16_t)process_count();
    s.mem_unit = 1;
    return copy_to_user(a[0], &s, sizeof(s));
}

int64_t
sys_getrandom(const uint64_t a[6])
{
    uint8_t chunk[256];
    size_t n = MIN(a[1], INT32_MAX);

    if (a[2] & ~7UL)
        return -EINVAL;
    for (size_t done = 0; done < n;) {
        size_t part = MIN(n - done, sizeof(chunk));

        sched_preempt();
        random_bytes(chunk, part);
        size_t moved = copy_to_user_partial(a[0] + done, chunk, part);
        done += moved;
        if (moved < part)
            return done > 0 ? (int64_t)done : -EFAULT;
        if (current_thread()->interrupted) /* a long one; up to 256 bytes always come whole */
            return (int64_t)done;
    }
    return (int64_t)n;
}

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

int64_t
sys_arch_prctl(const uint64_t a[6])
{
    uint64_t base;

    switch ((int)a[0]) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (a[1] >= USER_TOP)
            return -EPERM;
        if ((int)a[0] == ARCH_SET_FS)
            cpu_set_user_fs(a[1]);
        else
            cpu_set_user_gs(a[1]);
        return 0;
    case ARCH_GET_FS:
    case ARCH_GET_GS:
        base = (int)a[0] == ARCH_GET_FS ? cpu_get_user_fs() : cpu_get_user_gs();
        return copy_to_user(a[1], &base, sizeof(base));
    default:
        return -EINVAL;
    }
}

#define PR_SET_PDEATHSIG       1
#define PR_GET_PDEATHSIG       2
#define PR_GET_DUMPABLE        3
#define PR_SET_DUMPABLE        4
#define PR_SET_NAME            15
#define PR_GET_NAME            16
#define PR_CAPBSET_READ        23
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37
#define PR_SET_NO_NEW_PRIVS    38
#define PR_GET_NO_NEW_PRIVS    39

static int64_t
set_name(vaddr_t uname)
{
    char name[THREAD_NAME_MAX] = "";

    if (strncpy_from_user(name, uname, sizeof(name)) == -EFAULT)
        return -EFAULT;
    name[sizeof(name) - 1] = '\0';
    spin_lock(&proc_lock);
    memcpy(current_thread()->name, name, sizeof(name));
    spin_unlock(&proc_lock);
    return 0;
}

static int64_t
get_name(vaddr_t uname)
{
    char name[THREAD_NAME_MAX];

    spin_lock(&proc_lock);
    memcpy(name, current_thread()->name, sizeof(name));
    spin_unlock(&proc_lock);
    return copy_to_user(uname, name, sizeof(name));
}

static int64_t
put_int(vaddr_t to, int value)
{
    return copy_to_user(to, &value, sizeof(value));
}

int64_t
sys_prctl(const uint64_t a[6])
{
    struct process *p = current_process();
    struct cred *c = current_thread()->cred;

    switch ((int)a[0]) {
    case PR_SET_PDEATHSIG:
        if (a[1] > NSIG)
            return -EINVAL;
        p->death_signal = (int)a[1];
        return 0;
    case PR_GET_PDEATHSIG:
        return put_int(a[1], p->death_signal);
    case PR_SET_NAME:
        return set_name(a[1]);
    case PR_GET_NAME:
        return get_name(a[1]);
    case PR_GET_DUMPABLE:
        return current_thread()->space->dumpable;
    case PR_SET_DUMPABLE:
        if (a[1] > 1)
            return -EINVAL;
        current_thread()->space->dumpable = a[1] != 0;
        return 0;
    case PR_CAPBSET_READ:
        return a[1] <= CAP_LAST ? 1 : -EINVAL;
    case PR_SET_CHILD_SUBREAPER:
        p->subreaper = a[1] != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return put_int(a[1], p->subreaper);
    case PR_SET_NO_NEW_PRIVS:
        if (a[1] != 1 || a[2] != 0 || a[3] != 0 || a[4] != 0)
            return -EINVAL;
        c->no_new_privs = true;
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        return a[1] | a[2] | a[3] | a[4] ? -EINVAL : c->no_new_privs;
    default:
        return -EINVAL;
    }
}

#define REBOOT_MAGIC1    0xfee1deadU
#define REBOOT_MAGIC2    672274793U
#define REBOOT_RESTART   0x01234567U
#define REBOOT_HALT      0xcdef0123U
#define REBOOT_POWER_OFF 0x4321fedcU
#define REBOOT_CAD_ON    0x89abcdefU
#define REBOOT_CAD_OFF   0x00000000U

int64_t
sys_reboot(const uint64_t a[6])
{
    uint32_t cmd = (uint32_t)a[2];

    if (!cred_privileged(current_thread()->cred))
        return -EPERM;
    if ((uint32_t)a[0] != REBOOT_MAGIC1 || (uint32_t)a[1] != REBOOT_MAGIC2)
        return -EINVAL;
    if (cmd == REBOOT_CAD_ON || cmd == REBOOT_CAD_OFF)
        return 0;
    if (cmd != REBOOT_RESTART && cmd != REBOOT_HALT && cmd != REBOOT_POWER_OFF)
        return -EINVAL;
    fs_unmount_all();
    kprintf("%s\n", cmd == REBOOT_RESTART ? "restarting" : "power off");
    if (cmd == REBOOT_RESTART)
        machine_reboot();
    machine_exit(EXIT_CODE_OK);
}
