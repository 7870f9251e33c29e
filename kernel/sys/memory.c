/*
 * memory.c - the system calls of mm/mmap.h: descriptors become objects, numbers become requests.
 */
#include "kernel/sys/table.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/abi/sched.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/uaccess.h"
#include "kernel/fs/bdev.h"
#include "kernel/fs/file.h"
#include "kernel/fs/path.h"
#include "kernel/proc/process.h"
#include "kernel/sched/cred.h"
#include "kernel/sched/thread.h"
#include "mm/kmalloc.h"
#include "mm/layout.h"
#include "mm/mmap.h"
#include "mm/object.h"
#include "mm/space.h"
#include "mm/swap.h"

/* The disk that a path names. 0, or -EPERM, -EINVAL, -EISDIR, and what walking the path says. */
static int
find_disk(vaddr_t upath, struct block_device **dev)
{
    struct dentry *d;
    int err = cred_privileged(current_thread()->cred)
                  ? path_walk_user(AT_FDCWD, upath, PATH_FOLLOW, &d)
                  : -EPERM;

    if (err != 0)
        return err;
    err = S_ISDIR(d->inode->mode) ? -EISDIR : -EINVAL;
    *dev = S_ISBLK(d->inode->mode) ? bdev_of_number(d->inode->rdev) : NULL;
    dentry_put(d);
    return *dev != NULL ? 0 : err; /* SIMPLE: no swap files */
}

#define SWAP_FLAG_PREFER    0x8000
#define SWAP_FLAG_PRIO_MASK 0x7fff

int64_t
sys_swapon(const uint64_t a[6])
{
    struct block_device *dev;
    unsigned flags = (unsigned)a[1];
    int priority =
        flags & SWAP_FLAG_PREFER ? (int)(flags & SWAP_FLAG_PRIO_MASK) : SWAP_PRIORITY;
    int err = find_disk(a[0], &dev);

    if (err == 0)
        err = bdev_sync(
            dev); /* what was written through the file has to be on the disk that is read */
    return err != 0 ? err : swap_on(dev, priority);
}

int64_t
sys_swapoff(const uint64_t a[6])
{
    struct block_device *dev;
    int err = find_disk(a[0], &dev);

    return err != 0 ? err : swap_off(dev);
}

/* The caller's space; what it may lock depends on who it is by now. */
static struct space *
my_space(void)
{
    struct space *s = current_thread()->space;
    uint64_t limit = READ_ONCE(current_process()->rlimits[RLIMIT_MEMLOCK].soft);

    if (cred_privileged(current_thread()->cred))
        limit = UINT64_MAX;
    if (READ_ONCE(s->memlock_limit) != limit)
        WRITE_ONCE(s->memlock_limit, limit);
    return s;
}

/* The object behind descriptor @fd, and what mprotect may give. */
static int
mmap_file(int fd, struct mmap_request *q)
{
    struct file *f = fd_get(fd);
    bool shared = (q->flags & MAP_TYPE) != MAP_PRIVATE;

    if (f == NULL)
        return -EBADF;

    int err = file_mmap_object(f, shared, q->prot & PROT_WRITE, q->len, &q->object);

    if (err == 0 && shared && !file_writable(f))
        q->max_prot &= ~(unsigned)PROT_WRITE;
    file_put(f);
    return err;
}

int64_t
sys_mmap(const uint64_t a[6])
{
    struct mmap_request q = {
        .addr = a[0],
        .len = a[1],
        .prot = (unsigned)a[2],
        .flags = (unsigned)a[3],
        .offset = a[5],
        .max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
    };
    int fd = (int)a[4];

    if (!page_aligned(q.offset) || q.len == 0)
        return -EINVAL;
    if (!(q.flags & MAP_ANONYMOUS)) {
        int err = mmap_file(fd, &q);

        if (err != 0)
            return err;
    }

    int64_t result = vm_mmap(my_space(), &q);

    if (q.object != NULL)
        object_put(q.object);
    return result;
}

int64_t
sys_munmap(const uint64_t a[6])
{
    return vm_munmap(my_space(), a[0], a[1]);
}

int64_t
sys_mprotect(const uint64_t a[6])
{
    return vm_mprotect(my_space(), a[0], a[1], (unsigned)a[2]);
}

int64_t
sys_mremap(const uint64_t a[6])
{
    return vm_mremap(my_space(), a[0], a[1], a[2], (unsigned)a[3], a[4]);
}

int64_t
sys_brk(const uint64_t a[6])
{
    return (int64_t)vm_brk(my_space(), a[0]);
}

int64_t
sys_msync(const uint64_t a[6])
{
    return vm_msync(my_space(), a[0], a[1], (unsigned)a[2]);
}

int64_t
sys_madvise(const uint64_t a[6])
{
    return vm_madvise(my_space(), a[0], a[1], (int)a[2]);
}

int64_t
sys_mlock(const uint64_t a[6])
{
    return vm_mlock(my_space(), a[0], a[1], 0);
}

int64_t
sys_mlock2(const uint64_t a[6])
{
    return vm_mlock(my_space(), a[0], a[1], (unsigned)a[2]);
}

int64_t
sys_munlock(const uint64_t a[6])
{
    return vm_munlock(my_space(), a[0], a[1]);
}

int64_t
sys_mlockall(const uint64_t a[6])
{
    return vm_mlockall(my_space(), (unsigned)a[0]);
}

int64_t
sys_munlockall(const uint64_t a[6] UNUSED)
{
    vm_munlockall(my_space());
    return 0;
}

int64_t
sys_mincore(const uint64_t a[6])
{
    vaddr_t addr = a[0], vec = a[2];
    uint64_t pages = a[1] / PAGE_SIZE + (a[1] % PAGE_SIZE != 0);
    int err = 0;

    if (!page_aligned(addr))
        return -EINVAL;
    if (!range_ok(addr, pages > USER_TOP / PAGE_SIZE ? USER_TOP : pages * PAGE_SIZE))
        return -ENOMEM;
    if (!range_ok(vec, pages))
        return -EFAULT;

    uint8_t *chunk = kmalloc(PAGE_SIZE);

    if (chunk == NULL)
        return -ENOMEM;
    for (uint64_t done = 0; done < pages && err == 0;) {
        uint64_t n = MIN(pages - done, PAGE_SIZE);

        err = vm_mincore(my_space(), addr + done * PAGE_SIZE, n, chunk);
        if (err == 0)
            err = copy_to_user(vec + done, chunk, n);
        done += n;
    }
    kfree(chunk);
    return err;
}
