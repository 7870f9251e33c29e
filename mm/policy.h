/*
 * policy.h - which frame goes when memory is short: replacement policies behind one interface.
 *
 * A policy keeps the frames that may be taken away in an order of its own; the pager
 * asks it for the next candidate, judges whether that one can go at all, and then asks
 * whether it should be spared.  A candidate that stays must not be the next one again at
 * once: next() moves on.
 *
 *     reclaim_add --> enter --> [ the policy's order ] --> next --> spare? --> taken: leave
 *                                        ^                            |
 *                                        +-------- it was used -------+
 *
 * One file each: policy_fifo.c, policy_clock.c (the default), policy_lru.c, policy_random.c,
 * policy_reuse.c.
 * The boot option policy=NAME chooses.
 *
 * Locks: vm_lock is held at every call.  None may sleep or allocate.
 */
#pragma once

#include "kernel/lib/types.h"

struct frame;
struct tlb_batch;

struct policy {
    const char *name;

    /* @f may be taken away from now on; not any more. Its link and rank are the policy's. */
    void (*enter)(struct frame *f);
    void (*leave)(struct frame *f);

    /*
     * The frame to be judged next; NULL: there is none.  While none leaves, each of n frames is
     * answered at least once in 2 n calls: memory is out only when all were asked.  A policy
     * that looks at accessed bits to find it leaves what has to be flushed in @b.
     */
    struct frame *(*next)(struct tlb_batch *b);

    /* True: leave @f, the last answer of next(), where it is for now. */
    bool (*spare)(struct frame *f, struct tlb_batch *b);
};

extern const struct policy policy_fifo, policy_clock, policy_lru, policy_random, policy_reuse;
