/*
 * mmap.h - the memory system calls: what a program may ask of its address space.
 *
 * Arguments are judged here as Linux judges them; the calls in sys/ only turn
 * descriptors into objects.  All of them take space->lock themselves, may sleep, and want no
 * lock held.  Contracts: POSIX mmap, munmap, mprotect; mremap(2), madvise(2), mincore(2).
 */
#pragma once

#include "kernel/lib/types.h"

struct object;
struct space;

/* One mapping that is asked for. */
struct mmap_request {
    vaddr_t addr;          /* a wish, or with MAP_FIXED an order */
    uint64_t len;          /* bytes, not 0 */
    unsigned prot;         /* PROT_* */
    unsigned flags;        /* MAP_* */
    struct object *object; /* borrowed; NULL: anonymous */
    uint64_t offset;       /* bytes, page-aligned */
    /* What mprotect may ever give: no PROT_WRITE for a shared file opened read-only. */
    unsigned max_prot;
};

/* Returns the address, or -EINVAL, -ENOMEM, -EEXIST, -EPERM, -EOVERFLOW, -EOPNOTSUPP. */
int64_t vm_mmap(struct space *s, const struct mmap_request *q);

int vm_munmap(struct space *s, vaddr_t addr, uint64_t len);
int vm_mprotect(struct space *s, vaddr_t addr, uint64_t len, unsigned prot);
int64_t vm_mremap(struct space *s, vaddr_t old, uint64_t old_len, uint64_t new_len,
                  unsigned flags, vaddr_t new);

/* Returns the new break, or the old one when it could not be moved. */
vaddr_t vm_brk(struct space *s, vaddr_t brk);
int vm_msync(struct space *s, vaddr_t addr, uint64_t len, unsigned flags);
int vm_madvise(struct space *s, vaddr_t addr, uint64_t len, int advice);

/*
 * vm_mlock, vm_munlock - pages that stay in memory, and need not any more.
 * @flags: MLOCK_ONFAULT: those that are touched from now on (mlock2(2)).
 * Returns: 0; -EINVAL; -EPERM: RLIMIT_MEMLOCK is 0; -ENOMEM: beyond it, or not all of the range is
 *          mapped and may be touched; -EAGAIN: no memory.
 */
int vm_mlock(struct space *s, vaddr_t addr, uint64_t len, unsigned flags);
int vm_munlock(struct space *s, vaddr_t addr, uint64_t len);

/* @flags: MCL_*. */
int vm_mlockall(struct space *s, unsigned flags);
void vm_munlockall(struct space *s);

/* Brings in what of [start, end) is locked, as far as it can. */
void vm_populate_locked(struct space *s, vaddr_t start, vaddr_t end);

/*
 * vm_mincore - which pages are in memory: one byte each, bit 0.
 * @vec: kernel memory for @pages bytes.
 */
int vm_mincore(struct space *s, vaddr_t addr, uint64_t pages, uint8_t *vec);
