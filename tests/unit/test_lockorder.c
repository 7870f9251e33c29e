/*
 * test_lockorder.c - what the watch over locks lets pass, and what it says of the rest.
 */
/* flags: -DDEBUG */
#include "kernel/sched/lockorder.c"
#include "tests/unit/host.h"

#define SYS_ARCH_PRCTL 158
#define ARCH_SET_GS    0x1001
#define AT(offset)     ((const void *)(0x1000UL + (offset)))

long syscall(long number, ...);

/* GS is free on the host: with it set, this_cpu() and current_thread() are the real ones. */
static struct thread thread;
static struct cpu cpu = {.self = &cpu, .current = &thread};
static bool irq_on = true;

static void *back[5]; /* where panic() goes on */
static char said[256];
static char locks[LOCKS_HELD_MAX + 1]; /* their addresses are the locks */

bool
irq_enabled(void)
{
    return irq_on;
}

bool
panic_in_progress(void)
{
    return false;
}

/* Addresses from 0x1000 to 0x1fff lie in the function "f", others in none. */
const char *
symbol_find(uint64_t addr, uint64_t *offset)
{
    *offset = addr - 0x1000;
    return addr >= 0x1000 && addr < 0x2000 ? "f" : NULL;
}

__attribute__((noinline)) void
panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(said, sizeof(said), fmt, ap);
    va_end(ap);
    __builtin_longjmp(back, 1);
}

/* Runs @call, and looks at how what it says ends: "": it lets pass. */
#define SAYS(text, call)                            \
    do {                                            \
        said[0] = '\0';                             \
        if (__builtin_setjmp(back) == 0)            \
            call;                                   \
        if (!ends_with(said, text))                 \
            printf("not %s but: %s\n", text, said); \
        CHECK(ends_with(said, text));               \
    } while (0)

/* The place of a call that lies in this program has no fixed address; the rest behind it has. */
static bool
ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return m == 0 ? n == 0 : n >= m && strcmp(text + n - m, end) == 0;
}

static void
take(struct locks_held *held, unsigned n, const char *name, enum lock_way way)
{
    lock_take(held, &locks[n], name, AT(n), way);
}

static void
test_order(void)
{
    struct locks_held *h = &thread.locks;

    SAYS("", take(h, 1, "inode", LOCK_ORDERED));
    SAYS("", take(h, 2, "space", LOCK_ORDERED));
    SAYS("lock order: \"inode\" taken at f+0x3 while \"inode\" is held, taken at f+0x1",
         take(h, 3, "inode", LOCK_ORDERED));
    SAYS("lock order: \"inode\" taken at f+0x3 while \"space\" is held, taken at f+0x2",
         take(h, 3, "inode", LOCK_NESTED));
    SAYS("", take(h, 3, "inode", LOCK_TRIED));
    SAYS("", take(h, 4, "vm_lock", LOCK_ORDERED));
    CHECK(h->n == 4);

    /* Let go in any order; what is left is still known. */
    lock_drop(h, &locks[1]);
    lock_drop(h, &locks[4]);
    lock_drop(h, &locks[2]);
    CHECK(h->n == 1 && h->at[0].lock == &locks[3]);
    SAYS("lock order: \"rename\" taken at f+0x5 while \"inode\" is held, taken at f+0x3",
         take(h, 5, "rename", LOCK_ORDERED));
    SAYS("", take(h, 5, "inode", LOCK_NESTED));
    lock_drop(h, &locks[3]);
    lock_drop(h, &locks[5]);
    CHECK(h->n == 0);
    SAYS("lock order: \"nobody's\" has no place in it", take(h, 1, "nobody's", LOCK_ORDERED));
}

static void
test_names(void)
{
    char same[] = "space"; /* at another address than the list's */
    struct locks_held *h = &cpu.locks;

    take(h, 1, same, LOCK_ORDERED);
    lock_take(h, &locks[2], "vm_lock", (const void *)0x77, LOCK_ORDERED);
    SAYS("lock order: \"space\" taken at f+0x3 while \"space\" is held, taken at f+0x1",
         take(h, 3, "space", LOCK_ORDERED));
    lock_drop(h, &locks[1]);
    SAYS("lock order: \"space\" taken at f+0x3 while \"vm_lock\" is held, taken at 0x77",
         take(h, 3, "space", LOCK_ORDERED));
    lock_drop(h, &locks[2]);
}

static void
test_waiting(void)
{
    SAYS("", lock_may_wait());
    irq_on = false;
    SAYS("lock order: a sleep at f+0x8 with interrupts off", may_wait("a sleep", AT(8)));
    irq_on = true;
    cpu.irq_depth = 1;
    SAYS("lock order: a sleep at f+0x8 in an interrupt handler", may_wait("a sleep", AT(8)));
    cpu.irq_depth = 0;
    take(&cpu.locks, 1, "frames", LOCK_TRIED);
    SAYS("lock order: a sleep at f+0x8 while \"frames\" is held, taken at f+0x1",
         may_wait("a sleep", AT(8)));
    lock_drop(&cpu.locks, &locks[1]);
    take(&thread.locks, 1, "vm_lock", LOCK_ORDERED);
    SAYS("", lock_may_wait());
    lock_drop(&thread.locks, &locks[1]);
}

static void
test_user_memory(void)
{
    struct locks_held *h = &thread.locks;

    take(h, 1, "offset", LOCK_ORDERED);
    take(h, 2, "pipe", LOCK_ORDERED);
    SAYS("", lock_may_fault());
    take(h, 3, "inode", LOCK_ORDERED);
    SAYS(" while \"inode\" is held, taken at f+0x3", lock_may_fault());
    lock_drop(h, &locks[3]);
    take(h, 4, "space", LOCK_TRIED);
    SAYS(" while \"space\" is held, taken at f+0x4", lock_may_fault());
    SAYS(" while \"space\" is held, taken at f+0x4", lock_holds_none("the end"));
    lock_drop(h, &locks[4]);
    take(&cpu.locks, 5, "processes", LOCK_ORDERED);
    SAYS(" while \"processes\" is held, taken at f+0x5", lock_may_fault());
    lock_drop(h, &locks[1]);
    lock_drop(h, &locks[2]);
    SAYS(" while \"processes\" is held, taken at f+0x5", lock_holds_none("the end"));
    lock_drop(&cpu.locks, &locks[5]);
    SAYS("", lock_holds_none("the end"));
}

/* Too many at once, or one let go that is not held. */
static void
test_limits(void)
{
    struct locks_held *h = &thread.locks;

    for (unsigned i = 0; i < LOCKS_HELD_MAX; i++)
        take(h, i, "inode", LOCK_NESTED);
    SAYS("in lock_take()", take(h, LOCKS_HELD_MAX, "inode", LOCK_NESTED));
    SAYS("in lock_drop()", lock_drop(h, &locks[LOCKS_HELD_MAX]));
    for (unsigned i = 0; i < LOCKS_HELD_MAX; i++)
        lock_drop(h, &locks[i]);
    SAYS("in lock_drop()", lock_drop(h, &locks[0]));
    CHECK(h->n == 0);
}

int
main(void)
{
    CHECK(syscall(SYS_ARCH_PRCTL, ARCH_SET_GS, &cpu) == 0);
    test_order();
    test_names();
    test_waiting();
    test_user_memory();
    test_limits();
    printf("ok\n");
    return 0;
}
