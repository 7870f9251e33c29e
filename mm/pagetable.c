/*
 * pagetable.c - one four-level table: its entries, its tables, its walk.
 *
 * Level 4 is the root, level 1 holds the entries that map 4 KiB pages (Intel SDM vol. 3A 4.5).
 * A table is a frame; tables of user spaces are counted in pagetable->tables.  The kernel's
 * half, entries 256 to 511 of the root, is made once, before the first user table copies it,
 * and its four level-3 tables are shared by all.
 *
 * What a page means is not known here: see rmap.c, which alone changes user entries.
 */
#include "mm/pagetable.h"

#include "boot/bootinfo.h"
#include "kernel/abi/errno.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/spinlock.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"
#include "mm/tlbcheck.h"

/* Upper levels allow everything; the last level decides. */
#define TABLE_BITS_USER   (PTE_P | PTE_W | PTE_U)
#define TABLE_BITS_KERNEL (PTE_P | PTE_W)

#define HUGE_SIZE (2 * MIB)

static paddr_t kernel_root;
static struct spinlock kernel_table_lock = SPINLOCK_INIT("kernel page table");
static bool have_frames; /* frame_alloc works */

static pte_t *
table_at(paddr_t pa)
{
    return phys_to_virt(pa);
}

/* ---- user tables ---- */

int
pagetable_init(struct pagetable *pt)
{
    // LAB pgtbl/2 begin -- @space
    struct frame *f = frame_alloc(FRAME_PAGETABLE, FRAME_ZEROED);

    if (f == NULL)
        return -ENOMEM;
    pt->root = frame_addr(f);
    pt->tables = 1;
    pt->cpus = 0;
    memcpy(table_at(pt->root) + PT_ENTRIES / 2, table_at(kernel_root) + PT_ENTRIES / 2,
           PAGE_SIZE / 2);
    return 0;
    // LAB end
}

void
pagetable_free(struct pagetable *pt)
{
    struct list freed = LIST_INIT(freed);
    struct list *l;

    ASSERT(pt->cpus == 0);
    pagetable_trim(pt, 0, pt_span(PT_LEVELS) * (PT_ENTRIES / 2), &freed);
    while ((l = list_pop_front(&freed)) != NULL)
        frame_free(list_entry(l, struct frame, link));
    ASSERT(pt->tables == 1);
    frame_free(frame_of(pt->root));
    pt->root = 0;
    pt->tables = 0;
}

pte_t *
pagetable_find(const struct pagetable *pt, vaddr_t va)
{
    // LAB pgtbl/3 begin -- @find
    pte_t *table = table_at(pt->root);

    for (int level = PT_LEVELS; level > 1; level--) {
        pte_t e = table[pt_index(va, level)];

        if (!pte_present(e))
            return NULL;
        table = table_at(pte_addr(e));
    }
    return &table[pt_index(va, 1)];
    // LAB end
}

void
pagetable_walk(const struct pagetable *pt, vaddr_t va, pte_t way[PT_LEVELS])
{
    memset(way, 0, PT_LEVELS * sizeof(way[0]));
    // LAB pgtbl/3 begin -- (void)pt, (void)va;
    const pte_t *table = table_at(pt->root);

    for (int level = PT_LEVELS; level >= 1; level--, way++) {
        *way = table[pt_index(va, level)];
        if (!pte_present(*way))
            return;
        table = table_at(pte_addr(*way));
    }
    // LAB end
}

pte_t *
pagetable_make(struct pagetable *pt, vaddr_t va)
{
    ASSERT(va < USER_TOP);
    // LAB pgtbl/3 begin -- @make
    pte_t *table = table_at(pt->root);

    for (int level = PT_LEVELS; level > 1; level--) {
        pte_t *e = &table[pt_index(va, level)];

        if (!pte_present(*e)) {
            struct frame *f = frame_alloc(FRAME_PAGETABLE, FRAME_ZEROED);

            if (f == NULL)
                return NULL; /* tables made so far stay; pagetable_trim finds them */
            *e = pte_make(frame_addr(f), TABLE_BITS_USER);
            pagetable_count(e, 1);
            pt->tables++;
        }
        table = table_at(pte_addr(*e));
    }
    return &table[pt_index(va, 1)];
    // LAB end
}

/* The first present last-level entry in [*va, end) below @table, a table of @level. */
static pte_t *
next_below(pte_t *table, int level, vaddr_t *va, vaddr_t end)
{
    // LAB pgtbl/4 begin -- @next
    while (*va < end) {
        pte_t *e = &table[pt_index(*va, level)];

        if (pte_present(*e)) {
            if (level == 1)
                return e;
            pte_t *found = next_below(table_at(pte_addr(*e)), level - 1, va, end);
            if (found != NULL || *va >= end)
                return found;
        } else {
            *va = ROUND_DOWN(*va, pt_span(level)) + pt_span(level);
        }
        if (pt_index(*va, level) == 0) /* walked off the end of this table */
            return NULL;
    }
    return NULL;
    // LAB end
}

pte_t *
pagetable_next(const struct pagetable *pt, pte_t *last, vaddr_t *va, vaddr_t end)
{
    /* The neighbours of the last answer lie in the same table. */
    if (last != NULL)
        for (; pt_index(*va, 1) != 0; *va += PAGE_SIZE) {
            if (*va >= end)
                return NULL;
            if (pte_present(*++last))
                return last;
        }
    return next_below(table_at(pt->root), PT_LEVELS, va, end);
}

/* What trim_below works on. */
struct trim {
    struct pagetable *pt;
    vaddr_t start, end;
    struct list *freed;
};

/* Takes out the empty tables below @table, whose first address is @base and which is of @level. */
static void
trim_below(const struct trim *t, struct frame *table, int level, vaddr_t base)
{
    // LAB pgtbl/5 begin -- @trim
    uint64_t span = pt_span(level);
    pte_t *e = frame_data(table);
    unsigned left = table->used;

    for (unsigned i = t->start > base ? (t->start - base) / span : 0;
         i < PT_ENTRIES && base + i * span < t->end && left > 0; i++) {
        if (!pte_present(e[i]))
            continue;

        struct frame *below = frame_of(pte_addr(e[i]));

        left--;
        if (level > 2)
            trim_below(t, below, level - 1, base + i * span);
        if (below->used == 0) {
            list_push_back(t->freed, &below->link);
            (void)pte_exchange(&e[i], 0);
            table->used--;
            t->pt->tables--;
        }
    }
    // LAB end
}

void
pagetable_trim(struct pagetable *pt, vaddr_t start, vaddr_t end, struct list *freed)
{
    struct trim t = {pt, start, end, freed};

    trim_below(&t, frame_of(pt->root), PT_LEVELS, 0);
}

/* For a table of @level and those below it. */
static const struct frame *
miscounted(const struct frame *table, int level)
{
    const pte_t *e = frame_data(table);
    const struct frame *wrong = NULL;
    unsigned n = 0;

    for (unsigned i = 0; i < (level == PT_LEVELS ? PT_ENTRIES / 2 : PT_ENTRIES); i++) {
        n += pte_present(e[i]);
        if (pte_present(e[i]) && level > 1 && wrong == NULL)
            wrong = miscounted(frame_of(pte_addr(e[i])), level - 1);
    }
    return n == table->used ? wrong : table;
}

const struct frame *
pagetable_miscounted(const struct pagetable *pt)
{
    return miscounted(frame_of(pt->root), PT_LEVELS);
}

void
pagetable_load(struct pagetable *pt)
{
    struct cpu *c = this_cpu();

    if (c->loaded == pt)
        return;
    struct pagetable *old = c->loaded;

    // LAB tlb/1 begin -- @load
    /* Between the two bits the CPU is asked for the sake of either: too often rather than not. */
    if (pt != NULL)
        __atomic_or_fetch(&pt->cpus, 1U << c->id, __ATOMIC_SEQ_CST);
    c->loaded = pt;
    write_cr3(pt != NULL ? pt->root : kernel_root);
    if (old != NULL)
        __atomic_and_fetch(&old->cpus, ~(1U << c->id), __ATOMIC_SEQ_CST);
    // LAB end
    tlbcheck_forgot(old, 0, USER_TOP);
}

paddr_t
pagetable_kernel_root(void)
{
    return kernel_root;
}

/* ---- the kernel's half ---- */

/* A zeroed table for the kernel's half, before and after frame_boot_end. 0: no memory. */
static paddr_t
kernel_table_new(void)
{
    if (!have_frames)
        return frame_boot_alloc();

    struct frame *f = frame_alloc(FRAME_KERNEL, FRAME_ZEROED | FRAME_URGENT);

    return f != NULL ? frame_addr(f) : 0;
}

/*
 * The entry of @level for @va in the kernel's table, making the tables
 * above it; NULL: no memory.
 */
static pte_t *
kernel_entry_make(vaddr_t va, int to_level)
{
    // LAB pgtbl/1 begin -- @kernel
    pte_t *table = table_at(kernel_root);

    for (int level = PT_LEVELS; level > to_level; level--) {
        pte_t *e = &table[pt_index(va, level)];

        if (!pte_present(*e)) {
            paddr_t pa = kernel_table_new();

            if (pa == 0)
                return NULL;
            *e = pte_make(pa, TABLE_BITS_KERNEL);
        }
        ASSERT(!(e->bits & PTE_PS));
        table = table_at(pte_addr(*e));
    }
    return &table[pt_index(va, to_level)];
    // LAB end
}

int
pagetable_map_kernel(vaddr_t va, paddr_t pa, uint64_t bits)
{
    spin_lock(&kernel_table_lock);

    pte_t *e = kernel_entry_make(va, 1);

    if (e != NULL) {
        ASSERT(!pte_present(*e));
        *e = pte_make(pa, bits | PTE_P | PTE_G | PTE_A | PTE_D);
    }
    spin_unlock(&kernel_table_lock);
    return e != NULL ? 0 : -ENOMEM;
}

paddr_t
pagetable_unmap_kernel(vaddr_t va)
{
    spin_lock(&kernel_table_lock);

    pte_t *e = kernel_entry_make(va, 1);

    ASSERT(e != NULL && pte_present(*e));
    paddr_t pa = pte_addr(*e);
    e->bits = 0;
    spin_unlock(&kernel_table_lock);
    return pa;
}

static void
map_image(const char *from, const char *to, uint64_t bits)
{
    for (vaddr_t va = (vaddr_t)from; va < (vaddr_t)to; va += PAGE_SIZE) {
        int err = pagetable_map_kernel(va, va - KERNEL_BASE, bits);
        ASSERT(err == 0);
    }
}

/* Direct map, at @base, of [start, end), widened to 2 MiB. */
static void
map_direct(vaddr_t base, paddr_t start, paddr_t end)
{
    for (paddr_t pa = ROUND_DOWN(start, HUGE_SIZE); pa < end; pa += HUGE_SIZE) {
        pte_t *e = kernel_entry_make(base + pa, 2);

        ASSERT(e != NULL);
        *e = pte_make(pa, PTE_P | PTE_W | PTE_NX | PTE_PS | PTE_G | PTE_A | PTE_D);
    }
}

/* Memory for the descriptors of the frames in [start, end). */
static void
map_descriptors(paddr_t start, paddr_t end)
{
    vaddr_t from = page_floor((vaddr_t)frame_of(start));
    vaddr_t to = page_ceil((vaddr_t)frame_of(end));

    for (vaddr_t va = from; va < to; va += PAGE_SIZE) {
        pte_t *e = kernel_entry_make(va, 1);

        if (!pte_present(*e))
            *e = pte_make(frame_boot_alloc(), PTE_P | PTE_W | PTE_NX | PTE_G | PTE_A | PTE_D);
    }
}

void
pagetable_init_kernel(void)
{
    paddr_t low_end = 0; /* end of the RAM below 4 GiB: ACPI tables lie among it */
    vaddr_t direct = layout_draw();

    kernel_root = frame_boot_alloc();
    (void)kernel_entry_make(KVMAP_BASE, 3);
    map_image(kernel_start, kernel_text_end, 0);
    map_image(kernel_text_end, kernel_rodata_end, PTE_NX);
    map_image(kernel_rodata_end, kernel_end, PTE_W | PTE_NX);

    for (unsigned i = 0; i < bootinfo.nram; i++)
        if (bootinfo.ram[i].end <= 4 * GIB)
            low_end = bootinfo.ram[i].end;
    map_direct(direct, 0, low_end);
    for (unsigned i = 0; i < bootinfo.nram; i++) {
        if (bootinfo.ram[i].end > low_end)
            map_direct(direct, bootinfo.ram[i].start, bootinfo.ram[i].end);
        map_descriptors(bootinfo.ram[i].start, bootinfo.ram[i].end);
    }
    write_cr3(kernel_root);
    vitrine_layout.direct = direct; /* before anybody asks for an address in it again */
    frame_boot_end();
    have_frames = true;
}

/* ---- the walk, in words ---- */

void
pagetable_print_walk(paddr_t root, vaddr_t va)
{
    static const char *const names[] = {"", "PTE", "PDE", "PDPTE", "PML4E"};
    pte_t *table = table_at(root & PTE_ADDR);

    kprintf("page walk of %#lx, root %#lx:\n", va, root & PTE_ADDR);
    for (int level = PT_LEVELS; level >= 1; level--) {
        unsigned i = pt_index(va, level);
        pte_t e = table[i];

        kprintf("  %-5s [%3u] = %#018lx  ", names[level], i, e.bits);
        if (!pte_present(e)) {
            kprintf("not present\n");
            return;
        }
        kprintf(
            "-> %#lx %s %s %s%s%s%s\n", pte_addr(e), e.bits & PTE_W ? "writable" : "read-only",
            e.bits & PTE_U ? "user" : "kernel", e.bits & PTE_NX ? "no-execute" : "executable",
            e.bits & PTE_A ? " accessed" : "", level == 1 && (e.bits & PTE_D) ? " dirty" : "",
            e.bits & PTE_PS && level > 1 ? " large" : "");
        if (level > 1 && (e.bits & PTE_PS))
            return;
        if (!frame_exists(pte_addr(e)) && level > 1 && pte_addr(e) >= bootinfo.ram_end)
            return;
        table = table_at(pte_addr(e));
    }
}
