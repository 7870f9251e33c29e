/*
 * floor.c - a kernel that does only what the hardware demands.
 *
 * What one fault, copy, switch or system call costs at the very least in this QEMU: one region,
 * one process or two, no locks, no accounting beyond a reference count and a list of the pages.
 * It boots, measures with the time stamp counter (under -icount: in instructions), writes lines
 *
 *     floor NAME COST-PER-OPERATION
 *
 * to the serial port, and switches the machine off.  It exists for one column of the table that
 * `make bench` prints, and teaches what the rest of a kernel costs.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGES_ALL  65536 /* 256 MiB */
#define PAGE_FIRST 4096  /* the kernel lies below 16 MiB */
#define PAGES      4096ul
#define PAGE_SIZE  4096ul

#define PTE_P    1ul
#define PTE_W    2ul
#define PTE_U    4ul
#define PTE_ADDR 0x000ffffffffff000ul

#define USER_CODE    0x8000000000ul /* the second slot of the top table */
#define REGION_START (USER_CODE + 0x40000000)
#define REGION_END   (USER_CODE + 0x80000000)

extern uint64_t pml4[512], gdt_tss[2];
extern uint8_t user_begin[], user_end[], user_touch[], user_null[], user_yield[], stack_top[];
void pf_entry(void), bad_entry(void), sys_entry(void);
void switch_to(uint64_t *save, uint64_t stack, uint64_t cr3);
void enter_user(uint64_t rip, uint64_t rdi, uint64_t rsi, uint64_t *save);
void leave_user(uint64_t stack);
void bad(uint64_t a, uint64_t b, uint64_t c);
void floor_main(void);

/* ---- what is said ---- */

static void
outb(int port, uint8_t value)
{
    __asm__ volatile("outb %0, %w1" ::"a"(value), "Nd"(port));
}

static void
say(const char *s)
{
    for (; *s; s++)
        outb(0x3f8, (uint8_t)*s);
}

static void
say_number(uint64_t n)
{
    char digits[24];
    int i = 23;

    digits[i] = 0;
    do
        digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    say(digits + i);
}

static void
report(const char *name, uint64_t ticks, uint64_t operations)
{
    uint64_t hundredths = ticks * 100 / operations;

    say("floor ");
    say(name);
    say(" ");
    say_number(hundredths / 100);
    say(hundredths % 100 < 10 ? ".0" : ".");
    say_number(hundredths % 100);
    say("\n");
}

/* An exception that should not be. */
void
bad(uint64_t a, uint64_t b, uint64_t c)
{
    say("floor-bad ");
    say_number(a);
    say(" ");
    say_number(b);
    say(" ");
    say_number(c);
    say("\n");
    outb(0xf4, 1);
}

static uint64_t
ticks_now(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

/* ---- pages: a free list, a list of those in use, and a count each ---- */

static struct page {
    unsigned refs;
    struct page *next, *prev;
    uint64_t *owner;
} pages[PAGES_ALL];
static struct page *free_list, used = {.next = &used, .prev = &used};

static uint64_t
page_address(const struct page *p)
{
    return (uint64_t)(p - pages) * PAGE_SIZE;
}

static struct page *
page_of(uint64_t pte)
{
    return &pages[(pte & PTE_ADDR) / PAGE_SIZE];
}

static inline struct page *
page_alloc(void)
{
    struct page *p = free_list;

    free_list = p->next;
    p->refs = 1;
    return p;
}

/* The page belongs to an entry from now on. */
static inline void
page_own(struct page *p, uint64_t *pte)
{
    p->owner = pte;
    p->next = used.next;
    p->prev = &used;
    used.next->prev = p;
    used.next = p;
    *pte = page_address(p) | PTE_P | PTE_W | PTE_U;
}

static inline void
page_free(struct page *p)
{
    p->next->prev = p->prev;
    p->prev->next = p->next;
    if (--p->refs == 0) {
        p->next = free_list;
        free_list = p;
    }
}

static inline void
page_zero(struct page *p)
{
    uint64_t to = page_address(p), words = PAGE_SIZE / 8;

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0) : "memory");
}

static inline void
page_copy(struct page *to, struct page *from)
{
    uint64_t d = page_address(to), s = page_address(from), words = PAGE_SIZE / 8;

    __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words)::"memory");
}

/* ---- the one region and its tables ---- */

static inline uint64_t *
walk(uint64_t address)
{
    uint64_t *table = pml4;

    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t *entry = &table[address >> shift & 511];
        if (!(*entry & PTE_P)) {
            struct page *p = page_alloc();
            page_zero(p);
            *entry = page_address(p) | PTE_P | PTE_W | PTE_U;
        }
        table = (uint64_t *)(*entry & PTE_ADDR);
    }
    return &table[address >> 12 & 511];
}

static void
flush(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3)::"memory");
}

static bool zeroing = true;

static void
fault_anon(uint64_t address, uint64_t error)
{
    if (address < REGION_START || address >= REGION_END || (error & 1))
        bad(14, error, address);
    uint64_t *pte = walk(address);
    struct page *p = page_alloc();
    if (zeroing)
        page_zero(p);
    page_own(p, pte);
}

static void
fault_cow(uint64_t address, uint64_t error)
{
    if (address < REGION_START || address >= REGION_END || (error & 3) != 3)
        bad(14, error, address);
    uint64_t *pte = walk(address);
    struct page *old = page_of(*pte);
    if (old->refs > 1) {
        struct page *p = page_alloc();
        page_copy(p, old);
        old->refs--;
        page_own(p, pte);
    } else {
        *pte |= PTE_W;
    }
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

void (*pf_handler)(uint64_t address, uint64_t error);

/* ---- system calls, and two tasks ---- */

static uint64_t back, user_ticks;
static struct task {
    uint64_t stack, cr3, kernel_stack;
} tasks[2];
static int current;
static struct {
    uint64_t user_stack, kernel_stack;
} cpu;

static uint64_t
sys_done(uint64_t ticks)
{
    user_ticks = ticks;
    leave_user(back);
    return 0;
}

static uint64_t
sys_null(uint64_t unused)
{
    (void)unused;
    return 42;
}

static uint64_t
sys_yield(uint64_t unused)
{
    struct task *from = &tasks[current], *to = &tasks[current ^= 1];

    (void)unused;
    cpu.kernel_stack = to->kernel_stack;
    switch_to(&from->stack, to->stack, to->cr3);
    return 0;
}

uint64_t (*sys_table[4])(uint64_t) = {sys_done, sys_null, sys_yield, sys_null};

/* The other process: it is in the kernel and yields straight back. */
static void
second_task(void)
{
    for (;;)
        sys_yield(0);
}

/* ---- measuring ---- */

static uint64_t
run_user(const uint8_t *label, uint64_t a, uint64_t b)
{
    enter_user(USER_CODE + (uint64_t)(label - user_begin), a, b, &back);
    return user_ticks;
}

static void
touch_region(const char *name)
{
    report(name, run_user(user_touch, REGION_START, PAGES), PAGES);
}

static void
measure_unmap(const char *name)
{
    uint64_t t = ticks_now();

    for (uint64_t i = 0; i < PAGES; i += 512) {
        uint64_t *table = walk(REGION_START + i * PAGE_SIZE);
        for (int k = 0; k < 512; k++)
            if (table[k] & PTE_P) {
                struct page *p = page_of(table[k]);
                table[k] = 0;
                page_free(p);
            }
    }
    flush();
    report(name, ticks_now() - t, PAGES);
}

/* Share every page read-only with a second table, entry by entry, as fork does. */
static void
measure_fork(void)
{
    uint64_t t = ticks_now();

    for (uint64_t i = 0; i < PAGES; i += 512) {
        uint64_t *table = walk(REGION_START + i * PAGE_SIZE);
        uint64_t *to = (uint64_t *)page_address(page_alloc());
        for (int k = 0; k < 512; k++) {
            uint64_t entry = table[k];
            if (entry & PTE_P) {
                entry &= ~PTE_W;
                table[k] = entry;
                page_of(entry)->refs++;
            }
            to[k] = entry;
        }
    }
    flush();
    report("fork_page", ticks_now() - t, PAGES);
}

/* Take the right to write from every page. */
static void
measure_protect(const char *name)
{
    uint64_t t = ticks_now();

    for (uint64_t i = 0; i < PAGES; i += 512) {
        uint64_t *table = walk(REGION_START + i * PAGE_SIZE);
        for (int k = 0; k < 512; k++)
            if (table[k] & PTE_P)
                table[k] &= ~PTE_W;
    }
    flush();
    report(name, ticks_now() - t, PAGES);
}

static void
measure_switch(void)
{
    static uint64_t second_stack[1024] __attribute__((aligned(16)));
    uint64_t *root = (uint64_t *)page_address(page_alloc());

    for (int i = 0; i < 512; i++)
        root[i] = pml4[i];
    second_stack[1021] = (uint64_t)second_task; /* above it six registers are popped */
    tasks[0] = (struct task){.cr3 = (uint64_t)pml4, .kernel_stack = cpu.kernel_stack};
    tasks[1] = (struct task){.stack = (uint64_t)&second_stack[1015],
                             .cr3 = (uint64_t)root,
                             .kernel_stack = (uint64_t)&second_stack[1024]};
    report("switch", run_user(user_yield, 0, 10000), 20000);
}

/* ---- start ---- */

static struct {
    uint32_t unused;
    uint64_t rsp0, rest[12];
    uint16_t reserved, io_map;
} __attribute__((packed)) tss;

static struct {
    uint16_t low, selector;
    uint8_t stack, type;
    uint16_t middle;
    uint32_t high, zero;
} idt[256];

static void
set_msr(uint32_t which, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(which), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void
set_gate(int vector, void (*entry)(void))
{
    uint64_t a = (uint64_t)entry;

    idt[vector].low = (uint16_t)a;
    idt[vector].selector = 8;
    idt[vector].type = 0x8e;
    idt[vector].middle = (uint16_t)(a >> 16);
    idt[vector].high = (uint32_t)(a >> 32);
}

static void
processor_init(void)
{
    const struct {
        uint16_t size;
        uint64_t at;
    } __attribute__((packed)) idt_pointer = {sizeof(idt) - 1, (uint64_t)idt};
    uint64_t at = (uint64_t)&tss;

    for (int i = 0; i < 256; i++)
        set_gate(i, bad_entry);
    set_gate(14, pf_entry);
    __asm__ volatile("lidt %0" ::"m"(idt_pointer));
    gdt_tss[0] =
        (sizeof(tss) - 1) | (at & 0xffffff) << 16 | 0x89ul << 40 | (at >> 24 & 0xff) << 56;
    gdt_tss[1] = at >> 32;
    tss.rsp0 = cpu.kernel_stack = (uint64_t)stack_top - 4096;
    tss.io_map = sizeof(tss);
    __asm__ volatile("ltr %w0" ::"r"(0x30));
    set_msr(0xc0000081, 0x18ul << 48 | 0x08ul << 32); /* STAR: user data 0x20, code 0x28 */
    set_msr(0xc0000082, (uint64_t)sys_entry);
    set_msr(0xc0000084, 0x200);
    set_msr(0xc0000101, (uint64_t)&cpu); /* the kernel's GS now; swapped on the way out */
}

static void
memory_init(void)
{
    for (int i = PAGES_ALL - 1; i >= PAGE_FIRST; i--) {
        pages[i].next = free_list;
        free_list = &pages[i];
    }
    struct page *code = page_alloc();
    uint8_t *to = (uint8_t *)page_address(code);
    for (const uint8_t *from = user_begin; from < user_end; from++)
        *to++ = *from;
    *walk(USER_CODE) = page_address(code) | PTE_P | PTE_U;
}

void
floor_main(void)
{
    processor_init();
    memory_init();
    report("null_syscall", run_user(user_null, 0, 20000), 20000);
    pf_handler = fault_anon;
    zeroing = false;
    touch_region("warm"); /* the tables exist now */
    measure_unmap("warm");
    touch_region("fault");
    measure_unmap("unmap");
    zeroing = true;
    touch_region("fault_zero");
    measure_fork();
    pf_handler = fault_cow;
    touch_region("fault_copy");
    measure_protect("protect");
    touch_region("fault_reuse");
    measure_unmap("warm");
    measure_switch();
    say("floor-done\n");
    outb(0xf4, 0);
}
