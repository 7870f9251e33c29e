/*
 * futex.h - sleeping on a word of user memory (futex(2)).
 */
#pragma once

#include "kernel/lib/types.h"

#define FUTEX_ANY 0xffffffffU

/* What a lock word holds that the kernel has to know (set_robust_list(2)): its owner's id, and */
#define FUTEX_TID_MASK   0x3fffffffU
#define FUTEX_OWNER_DIED 0x40000000U
#define FUTEX_WAITERS    0x80000000U /* somebody sleeps */

/*
 * futex_wait - sleep if the word still holds @value.
 * @bits:     FUTEX_ANY, or the set of a WAIT_BITSET.
 * @deadline: clock_now() to give up at; UINT64_MAX: never.
 * Returns: 0 woken; -EAGAIN another value; -ETIMEDOUT; -ERESTARTSYS;
 *          -EFAULT; -EINVAL (not aligned).
 */
int futex_wait(vaddr_t addr, uint32_t value, uint32_t bits, nsec_t deadline);

/* Wakes up to @n sleepers whose bits meet @bits. Returns how many, or -EINVAL, -EFAULT. */
int futex_wake(vaddr_t addr, int n, uint32_t bits);

/*
 * futex_requeue - wake @wake sleepers of @addr and move up to @move others to @to.
 * @expect: NULL, or the value that the word must hold (-EAGAIN).
 * Returns: how many were woken or moved.
 */
int futex_requeue(vaddr_t addr, vaddr_t to, int wake, int move, const uint32_t *expect);
