/*
 * spinlock.c - test and set, with interrupts off.
 *
 * The word that is set is the holder's id plus one, so "held, and by me" is one load.
 *
 * Who waits for longer than any use of a spin lock may last says who has it, and where that one
 * took it, and stops the machine: the holder hangs.
 *
 * SIMPLE: not fair; a real kernel hands the lock out in the order of arrival (ticket or
 * queued locks), which matters with many processors.
 */
#include "kernel/arch/spinlock.h"

#include "kernel/arch/clock.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/trap.h"
#include "kernel/lib/assert.h"

#define SPIN_LIMIT (60 * NSEC_PER_SEC)

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

/* Takes @l if it is free. Returns whose it was: 0, or a CPU + 1. Interrupts off. */
static uint32_t
try_to_take(struct spinlock *l)
{
    uint32_t holder = 0;

    (void)__atomic_compare_exchange_n(&l->held, &holder, this_cpu()->id + 1, false,
                                      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    return holder;
}

/* Another CPU has it. */
static void
spin(struct spinlock *l)
{
    nsec_t since = clock_now();
    uint32_t holder;

    while ((holder = try_to_take(l)) != 0) {
        if (clock_now() - since > SPIN_LIMIT)
            panic("spin lock \"%s\" has been held by CPU %u since %#lx for more than a minute",
                  l->name, holder - 1, (uint64_t)READ_ONCE(l->where));
        cpu_relax();
    }
}

void
spin_lock(struct spinlock *l)
{
    irq_push_off(); /* first: an interrupt handler may want the same lock */
    lock_take(&this_cpu()->locks, l, l->name, __builtin_return_address(0), LOCK_ORDERED);
    uint32_t holder = try_to_take(l);

    if (unlikely(holder == this_cpu()->id + 1))
        panic("spin lock \"%s\" taken twice by CPU %u, first at %#lx", l->name, holder - 1,
              (uint64_t)l->where);
    if (unlikely(holder != 0))
        spin(l);
    l->where = __builtin_return_address(0);
}

bool
spin_try_lock(struct spinlock *l)
{
    irq_push_off();
    if (try_to_take(l) != 0) {
        irq_pop_off();
        return false;
    }
    lock_take(&this_cpu()->locks, l, l->name, __builtin_return_address(0), LOCK_TRIED);
    l->where = __builtin_return_address(0);
    return true;
}

void
spin_unlock(struct spinlock *l)
{
    if (!spin_held(l))
        panic("spin lock \"%s\" let go by CPU %u, which does not hold it", l->name,
              this_cpu()->id);
    lock_drop(&this_cpu()->locks, l);
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
    irq_pop_off();
}
