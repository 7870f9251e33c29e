/*
 * shm.c - the system calls of System V shared memory; the segments are in proc/sysvshm.c.
 */
#include "kernel/sys/table.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/uaccess.h"
#include "kernel/proc/sysvshm.h"

int64_t
sys_shmget(const uint64_t a[6])
{
    return sysvshm_get((int32_t)a[0], a[1], (unsigned)a[2]);
}

int64_t
sys_shmat(const uint64_t a[6])
{
    return sysvshm_attach((int)a[0], a[1], (unsigned)a[2]);
}

int64_t
sys_shmdt(const uint64_t a[6])
{
    return sysvshm_detach(a[0]);
}

/* The two commands that ask about the table as a whole answer with its highest used place. */
static int64_t
limits(vaddr_t uinfo)
{
    struct shminfo limits = {
        .shmmax = SHMMAX, .shmmin = 1, .shmmni = SHMMNI, .shmseg = SHMMNI, .shmall = SHMALL};
    struct shm_info sum;
    int highest = sysvshm_sum(&sum);

    return copy_to_user(uinfo, &limits, sizeof(limits)) != 0 ? -EFAULT : highest;
}

static int64_t
sums(vaddr_t uinfo)
{
    struct shm_info sum;
    int highest = sysvshm_sum(&sum);

    return copy_to_user(uinfo, &sum, sizeof(sum)) != 0 ? -EFAULT : highest;
}

int64_t
sys_shmctl(const uint64_t a[6])
{
    struct shmid_ds ds;
    int id = (int)a[0], result;
    unsigned cmd = (unsigned)a[1];

    if (id < 0)
        return -EINVAL;
    switch (cmd) {
    case IPC_INFO:
        return limits(a[2]);
    case SHM_INFO:
        return sums(a[2]);
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
        result = sysvshm_stat(id, cmd, &ds);
        return result >= 0 && copy_to_user(a[2], &ds, sizeof(ds)) != 0 ? -EFAULT : result;
    case IPC_SET:
        if (copy_from_user(&ds, a[2], sizeof(ds)) != 0)
            return -EFAULT;
        /* fallthrough */
    case IPC_RMID:
    case SHM_LOCK:
    case SHM_UNLOCK:
        return sysvshm_control(id, cmd, &ds);
    default:
        return -EINVAL;
    }
}
