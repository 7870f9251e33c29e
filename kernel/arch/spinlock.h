/*
 * spinlock.h - mutual exclusion for a few instructions.
 *
 *   - Held with interrupts off on this CPU; never across anything that sleeps
 *     or touches user memory.
 *   - Locks nest: interrupts come back when the outermost one is let go, if
 *     they were on before.
 *   - Taking a lock twice, or letting go of one that this CPU does not hold, is a panic.
 */
#pragma once

#include "kernel/lib/types.h"

struct spinlock {
    uint32_t held; /* 0, or the holder's CPU + 1 */
    const char *name;
    const void *where; /* it was taken, by the holder */
};

#define SPINLOCK_INIT(text)       \
    {                             \
        .held = 0, .name = (text) \
    }

void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool spin_try_lock(struct spinlock *l) MUST_CHECK;
bool spin_held(const struct spinlock *l); /* by this CPU */

/* Interrupts off, counted; the pair nests with itself and with spin locks. */
void irq_push_off(void);
void irq_pop_off(void);
bool irq_enabled(void);
