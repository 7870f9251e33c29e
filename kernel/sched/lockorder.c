/*
 * lockorder.c - the one order of all locks, and the judge of who takes them (make DEBUG=1).
 *
 * A lock has a name, its class; classes stand in one list, and a lock is taken only while those
 * that are held stand before it.  So no circle of waiting threads or CPUs can come to be, and a
 * wrong order is found the first time that it is used, not when two of them meet.
 *
 * Only the kernel's debug build has this file.
 */
#include "kernel/sched/thread.h"

#include "kernel/arch/cpu.h"
#include "kernel/arch/lockorder.h"
#include "kernel/arch/panic.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"

/* From the first that may be taken to the last; docs/locking.md tells why. */
static const struct lock_class {
    const char *name;
    bool across_fault; /* a mutex that may be held where user memory is touched */
} classes[] = {
    {"offset", true},
    {"pipe", true},
    {"fw_cfg", false},
    {"mounts", false},
    {"bdevs", false},
    {"rename", false},
    {"inode", false},
    {"ext2 map", false},
    {"ext2 alloc", false},
    {"ext2 state", false},
    {"System V shm", false},
    {"space", false},
    {"vm_lock", false},
    /* spin locks */
    {"processes", false},
    {"files", false},
    {"fs_context", false},
    {"icache", false},
    {"dcache", false},
    {"file locks", false},
    {"tmpfs", false},
    {"futex", false},
    {"strace", false},
    {"identity", false},
    {"core_pattern", false},
    {"tty", false},
    {"tty raw", false},
    {"virtio-blk", false},
    {"waitq", false},
    {"timeouts", false},
    {"run queue", false},
    {"load average", false},
    {"spare stacks", false},
    {"kvmap", false},
    {"kernel page table", false},
    {"kmalloc", false},
    {"frames", false},
    {"tlbcheck", false},
    {"irq", false},
    {"ioapic", false},
    {"pci", false},
    {"log", false},
    {"hostlink", false},
    {"virtio-console", false},
    {"serial", false},
    {"screen", false},
};

/* The same text is mostly one string in memory, so the quick look comes first. */
static const struct lock_class *
class_of(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
        if (classes[i].name == name)
            return &classes[i];
    for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
        if (strcmp(classes[i].name, name) == 0)
            return &classes[i];
    panic("lock order: \"%s\" has no place in it", name);
}

#define PLACE_MAX 64

/* Writes the function that the return address @where lies in to @text, and returns it. */
static const char *
place(char text[PLACE_MAX], const void *where)
{
    uint64_t offset = 0;
    const char *name = symbol_find((uint64_t)where - 1, &offset);

    if (name == NULL)
        snprintf(text, PLACE_MAX, "%#lx", (uint64_t)where);
    else
        snprintf(text, PLACE_MAX, "%s+%#lx", name, offset + 1);
    return text;
}

/* @what happens at @where, which may not be while @h is held. */
static void NORETURN
complain(const char *what, const void *where, const struct held_lock *h)
{
    char here[PLACE_MAX], there[PLACE_MAX];

    panic("lock order: %s at %s while \"%s\" is held, taken at %s", what, place(here, where),
          h->name, place(there, h->where));
}

/* Stops if one of @held does not stand before @class. */
static void
judge(const struct locks_held *held, const struct lock_class *class, const void *where,
      bool nested)
{
    char what[PLACE_MAX];

    for (unsigned i = 0; i < held->n; i++) {
        const struct lock_class *other = class_of(held->at[i].name);

        if (other < class || (nested && other == class))
            continue;
        snprintf(what, sizeof(what), "\"%s\" taken", class->name);
        complain(what, where, &held->at[i]);
    }
}

void
lock_take(struct locks_held *held, const void *lock, const char *name, const void *where,
          enum lock_way way)
{
    const struct lock_class *class = class_of(name);

    if (panic_in_progress())
        return;
    if (way != LOCK_TRIED)
        judge(held, class, where, way == LOCK_NESTED);
    ASSERT(held->n < LOCKS_HELD_MAX);
    held->at[held->n++] = (struct held_lock){lock, name, where};
}

void
lock_drop(struct locks_held *held, const void *lock)
{
    unsigned i = held->n;

    if (panic_in_progress())
        return;
    while (i > 0 && held->at[i - 1].lock != lock)
        i--;
    ASSERT(i > 0);
    for (held->n--; i <= held->n; i++)
        held->at[i - 1] = held->at[i];
}

/* What none may hold who waits, touches user memory, leaves the kernel or ends. */
static void
no_spin_lock(const char *what, const void *where)
{
    const struct cpu *c = this_cpu();

    if (panic_in_progress())
        return;
    if (c->locks.n > 0)
        complain(what, where, &c->locks.at[c->locks.n - 1]);
}

static void
may_wait(const char *what, const void *where)
{
    char here[PLACE_MAX];

    no_spin_lock(what, where);
    if ((!irq_enabled() || this_cpu()->irq_depth > 0) && !panic_in_progress())
        panic("lock order: %s at %s %s", what, place(here, where),
              this_cpu()->irq_depth > 0 ? "in an interrupt handler" : "with interrupts off");
}

void
lock_may_wait(void)
{
    may_wait("a sleep", __builtin_return_address(0));
}

void
lock_may_fault(void)
{
    const struct locks_held *held = &current_thread()->locks;
    const void *where = __builtin_return_address(0);

    may_wait("user memory touched", where);
    for (unsigned i = 0; i < held->n; i++)
        if (!class_of(held->at[i].name)->across_fault)
            complain("user memory touched", where, &held->at[i]);
}

void
lock_holds_none(const char *what)
{
    const struct locks_held *held = &current_thread()->locks;
    const void *where = __builtin_return_address(0);

    no_spin_lock(what, where);
    if (held->n > 0)
        complain(what, where, &held->at[held->n - 1]);
}
