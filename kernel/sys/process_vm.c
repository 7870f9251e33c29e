/*
 * process_vm.c - process_vm_readv and process_vm_writev: another process's memory, moved through
 * a page of the kernel's.
 */
#include "kernel/sys/table.h"

#include "kernel/abi/errno.h"
#include "kernel/abi/mman.h"
#include "kernel/arch/cpu.h"
#include "kernel/proc/process.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/vector.h"
#include "mm/fault.h"
#include "mm/kmalloc.h"
#include "mm/space.h"

/* The space of thread @tid, with a reference, if the caller may look into it. */
static int
open_space(pid_t tid, struct space **out)
{
    int err = -ESRCH;

    spin_lock(&proc_lock);
    const struct task *t = task_find_locked(tid);

    if (t != NULL && t->thread->space != NULL)
        err = process_may_control_locked(t->process) && process_may_look_into(t->thread->space)
                  ? 0
                  : -EPERM;
    if (err == 0)
        *out = space_get(t->thread->space);
    spin_unlock(&proc_lock);
    return err;
}

/* Moves between the caller's @u and the pieces of @them in @s, as far as both go. */
static int64_t
move_between(struct uio *u, struct space *s, const struct uio *them, unsigned access)
{
    char *page = kmalloc(PAGE_SIZE);
    int64_t done = 0;
    int err = page != NULL ? 0 : -ENOMEM;

    for (unsigned k = 0; k < them->count && err == 0; k++) {
        vaddr_t va = them->iov[k].base, end = va + them->iov[k].len;

        while (va < end && u->left > 0 && err == 0 && sched_go_on()) {
            size_t n = MIN(MIN(end - va, u->left), PAGE_SIZE - (va & PAGE_MASK));

            if (access == PROT_READ)
                err = vm_copy(s, va, page, n, access) ?: uio_put(u, page, n);
            else
                err = uio_take(u, page, n) ?: vm_copy(s, va, page, n, access);
            if (err == 0)
                done += (int64_t)n;
            va += n;
        }
    }
    kfree(page);
    return done > 0 ? done : err;
}

/* @access: what is done to the other process's memory. */
static int64_t
process_vm(const uint64_t a[6], unsigned access)
{
    struct vector mine, theirs;
    struct uio u, them;
    struct space *s;
    int64_t n = a[5] != 0 ? -EINVAL : vector_read(&mine, a[1], a[2], &u);

    if (n != 0)
        return n;
    n = vector_read(&theirs, a[3], a[4], &them);
    if (n == 0) {
        n = u.left == 0 || them.left == 0 ? 0 : open_space((pid_t)a[0], &s);
        if (n == 0 && u.left > 0 && them.left > 0) {
            n = move_between(&u, s, &them, access);
            space_put(s);
        }
        vector_free(&theirs);
    }
    vector_free(&mine);
    return n;
}

int64_t
sys_process_vm_readv(const uint64_t a[6])
{
    return process_vm(a, PROT_READ);
}

int64_t
sys_process_vm_writev(const uint64_t a[6])
{
    return process_vm(a, PROT_WRITE);
}
