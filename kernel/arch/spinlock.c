/*
 * spinlock.c - test and set, with interrupts off.
 *
 * The word that is set is the holder's id plus one, so "held, and by me" is one load.
 *
 * SIMPLE: not fair; a real kernel hands the lock out in the order of arrival (ticket or
 * queued locks), which matters with many processors.
 */
#include "kernel/arch/spinlock.h"

#include "kernel/arch/cpu.h"
#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"

bool
irq_enabled(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    return flags & RFLAGS_IF;
}

void
irq_push_off(void)
{
    bool was_on = irq_enabled();

    __asm__ volatile("cli" ::: "memory");
    struct cpu *c = this_cpu(); /* only now: before, the thread might have moved */
    if (c->irq_off_depth++ == 0)
        c->irq_was_on = was_on;
}

void
irq_pop_off(void)
{
    struct cpu *c = this_cpu();

    ASSERT(c->irq_off_depth > 0);
    if (--c->irq_off_depth == 0 && c->irq_was_on)
        __asm__ volatile("sti" ::: "memory");
}

bool
spin_held(const struct spinlock *l)
{
    return READ_ONCE(l->held) == this_cpu()->id + 1;
}

void
spin_lock(struct spinlock *l)
{
    irq_push_off(); /* first: an interrupt handler may want the same lock */
    uint32_t me = this_cpu()->id + 1;
    uint32_t free = 0;

    while (!__atomic_compare_exchange_n(&l->held, &free, me, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
        if (free == me)
            panic("spin lock \"%s\" taken twice by CPU %u", l->name, me - 1);
        free = 0;
        cpu_relax();
    }
}

void
spin_unlock(struct spinlock *l)
{
    if (!spin_held(l))
        panic("spin lock \"%s\" let go by CPU %u, which does not hold it", l->name,
              this_cpu()->id);
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
    irq_pop_off();
}
