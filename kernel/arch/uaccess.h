/*
 * uaccess.h - the only way to user memory.
 *
 * A user address is a number until it went through here.  The copy routines run
 * with SMAP lifted and have fix-up entries: a fault that vm_fault() cannot mend makes them
 * return early, so a bad address is -EFAULT and nothing else.  They may sleep (demand
 * paging), so no lock of the VM and no spin lock may be held.
 */
#pragma once

#include "kernel/lib/types.h"

#define USER_TOP \
    0x7ffffffff000UL /* end of the user half; the last page below 2^47 is never mapped */

/* True if [a, a + n) lies in the user half; does not wrap. */
static inline bool
range_ok(vaddr_t a, size_t n)
{
    return n <= USER_TOP && a <= USER_TOP - n;
}

/* Each returns 0, or -EFAULT (then part of the bytes may have been moved). */
int copy_from_user(void *dst, vaddr_t src, size_t n) MUST_CHECK;
int copy_to_user(vaddr_t dst, const void *src, size_t n) MUST_CHECK;
int clear_user(vaddr_t dst, size_t n) MUST_CHECK;

/*
 * copy_from_user_partial, copy_to_user_partial - the same, for reads and writes that
 * may be short.  Returns: the number of bytes moved before the fault.
 */
size_t copy_from_user_partial(void *dst, vaddr_t src, size_t n) MUST_CHECK;
size_t copy_to_user_partial(vaddr_t dst, const void *src, size_t n) MUST_CHECK;

/*
 * peek_user - read a word, if its page is there: never sleeps, so spin locks may be held.
 * Returns: 0, or -EFAULT: touch it without the lock and try again.
 */
int peek_user(uint32_t *v, vaddr_t word) MUST_CHECK;

/*
 * cmpxchg_user - in one step: if the word at @word is @old it becomes @new.
 * @word: aligned.  @seen: what it was.
 * Returns: 0, whether it was @old or not; or -EFAULT.
 */
int cmpxchg_user(vaddr_t word, uint32_t old, uint32_t new, uint32_t *seen) MUST_CHECK;

/*
 * strncpy_from_user - copy a string with its NUL.
 * Returns: its length without the NUL; -EFAULT; or -ENAMETOOLONG when no NUL came
 *          within @size bytes.
 */
ssize_t strncpy_from_user(char *dst, vaddr_t src, size_t size) MUST_CHECK;
