/*
 * uaccess.c - judging user addresses, and moving bytes through uaccess.asm.
 *
 * range_ok keeps kernel addresses away from the copy routines; everything below
 * USER_TOP is tried, and a fault there that vm_fault() cannot mend is -EFAULT.
 */
#include "kernel/arch/uaccess.h"

#include "kernel/abi/errno.h"
#include "kernel/arch/lockorder.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/assert.h"

size_t uaccess_copy(void *dst, const void *src, size_t n);
size_t uaccess_clear(void *dst, size_t n);
size_t uaccess_strncpy(char *dst, const char *src, size_t n, bool *fault);
uint32_t uaccess_cmpxchg(uint32_t *word, uint32_t old, uint32_t new, bool *fault);

size_t
copy_from_user_partial(void *dst, vaddr_t src, size_t n)
{
    lock_may_fault();
    if (!range_ok(src, n))
        return 0;
    return n - uaccess_copy(dst, (const void *)src, n);
}

size_t
copy_to_user_partial(vaddr_t dst, const void *src, size_t n)
{
    lock_may_fault();
    if (!range_ok(dst, n))
        return 0;
    return n - uaccess_copy((void *)dst, src, n);
}

int
copy_from_user(void *dst, vaddr_t src, size_t n)
{
    lock_may_fault();
    return range_ok(src, n) && uaccess_copy(dst, (const void *)src, n) == 0 ? 0 : -EFAULT;
}

int
copy_to_user(vaddr_t dst, const void *src, size_t n)
{
    lock_may_fault();
    return range_ok(dst, n) && uaccess_copy((void *)dst, src, n) == 0 ? 0 : -EFAULT;
}

int
clear_user(vaddr_t dst, size_t n)
{
    lock_may_fault();
    return range_ok(dst, n) && uaccess_clear((void *)dst, n) == 0 ? 0 : -EFAULT;
}

ssize_t
strncpy_from_user(char *dst, vaddr_t src, size_t size)
{
    bool fault = false;

    lock_may_fault();
    if (!range_ok(src, 0))
        return -EFAULT;
    /* A string may end just below USER_TOP, so not all of @size need be in range. */
    size_t room = MIN(size, USER_TOP - src);
    size_t n = uaccess_strncpy(dst, (const char *)src, room, &fault);
    if (fault)
        return -EFAULT;
    if (n < room)
        return n;
    return room < size ? -EFAULT : -ENAMETOOLONG;
}

int
cmpxchg_user(vaddr_t word, uint32_t old, uint32_t new, uint32_t *seen)
{
    bool fault = !range_ok(word, sizeof(new)) || word % sizeof(new) != 0;

    lock_may_fault();
    if (!fault)
        *seen = uaccess_cmpxchg((uint32_t *)word, old, new, &fault);
    return fault ? -EFAULT : 0;
}

int
peek_user(uint32_t *v, vaddr_t word)
{
    irq_push_off(); /* so that a fault is not mended */
    bool there =
        range_ok(word, sizeof(*v)) && uaccess_copy(v, (const void *)word, sizeof(*v)) == 0;
    irq_pop_off();
    return there ? 0 : -EFAULT;
}
