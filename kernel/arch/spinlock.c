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

static inline uint64_t
read_flags(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    return flags;
}

bool
irq_enabled(void)
{
    return read_flags() & RFLAGS_IF;
}

/* They can have been on only at depth 0. */
static inline struct cpu *
push_off(void)
{
    unsigned was_on = read_flags() & RFLAGS_IF;

    __asm__ volatile("cli" ::: "memory");
    struct cpu *c = this_cpu(); /* only now: before, the thread might have moved */
    c->irq_was_on |= was_on;
    c->irq_off_depth++;
    return c;
}

static inline void
pop_off(struct cpu *c)
{
    if (--c->irq_off_depth == 0 && c->irq_was_on) {
        c->irq_was_on = 0;
        __asm__ volatile("sti" ::: "memory");
    }
}

void
irq_push_off(void)
{
    (void)push_off();
}

void
irq_pop_off(void)
{
    struct cpu *c = this_cpu();

    ASSERT(c->irq_off_depth > 0);
    pop_off(c);
}

bool
spin_held(const struct spinlock *l)
{
    return READ_ONCE(l->held) == this_cpu()->id + 1;
}

/* Takes @l for @c if it is free. Returns whose it was: 0, or a CPU + 1. Interrupts off. */
static inline uint32_t
try_to_take(struct spinlock *l, const struct cpu *c)
{
    uint32_t holder = 0;

    (void)__atomic_compare_exchange_n(&l->held, &holder, c->id + 1, false, __ATOMIC_ACQUIRE,
                                      __ATOMIC_RELAXED);
    return holder;
}

/* Takes @l, which @holder has, for who called spin_lock at @where. */
static NOINLINE void
spin(struct spinlock *l, uint32_t holder, const void *where)
{
    const struct cpu *c = this_cpu();
    nsec_t since = clock_now();

    if (holder == c->id + 1)
        panic("spin lock \"%s\" taken twice by CPU %u, first at %#lx", l->name, holder - 1,
              (uint64_t)l->where);
    while ((holder = try_to_take(l, c)) != 0) {
        if (clock_now() - since > SPIN_LIMIT)
            panic("spin lock \"%s\" has been held by CPU %u since %#lx for more than a minute",
                  l->name, holder - 1, (uint64_t)READ_ONCE(l->where));
        cpu_relax();
    }
    l->where = where;
}

void
spin_lock(struct spinlock *l)
{
    struct cpu *c = push_off(); /* first: an interrupt handler may want the same lock */

    lock_take(&c->locks, l, l->name, __builtin_return_address(0), LOCK_ORDERED);
    uint32_t holder = try_to_take(l, c);

    if (unlikely(holder != 0))
        spin(l, holder, __builtin_return_address(0));
    else
        l->where = __builtin_return_address(0);
}

bool
spin_try_lock(struct spinlock *l)
{
    struct cpu *c = push_off();

    if (try_to_take(l, c) != 0) {
        pop_off(c);
        return false;
    }
    lock_take(&c->locks, l, l->name, __builtin_return_address(0), LOCK_TRIED);
    l->where = __builtin_return_address(0);
    return true;
}

void
spin_unlock(struct spinlock *l)
{
    struct cpu *c = this_cpu();

    if (unlikely(READ_ONCE(l->held) != c->id + 1))
        panic("spin lock \"%s\" let go by CPU %u, which does not hold it", l->name, c->id);
    lock_drop(&c->locks, l);
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
    pop_off(c);
}
