/*
 * refs.c - a plugin of QEMU's that writes down which pages a program touches, for ./vm policies.
 *
 *     -plugin refs.so,out=FILE,ram=FILE,thread=PHYSICAL,table=PHYSICAL,limit=N
 *
 * Whose access it is, the kernel's memory tells: ram is the guest's, and at these two places of it
 * are the number of the thread that runs and its page table.  The program is the first child of
 * init's that gets another table, by exec; it, and whoever shares its table.  Another exec begins
 * another space.  An access counts by its address, so the kernel's on the program's behalf do too,
 * and so do fetches.
 *
 * Of the string of pages, consecutive repeats removed, only what matters is kept.  A reference may
 * go when fewer than 2 * NEAR other pages are touched between the one kept before it and the one
 * that follows: LRU and the optimum miss as often without it, in any memory of 2 * NEAR pages
 * or more (S. F. Kaplan, Y. Smaragdakis and P. R. Wilson, "Flexible reference trace reduction for
 * VM simulations", ACM TOMACS 13, 2003).  The NEAR pages touched last are known here, so between
 * two moments no more pages are touched than those, and one for each page that joined them.
 *
 * When there are more than limit, half of the pages are left out, chosen by a hash, and again.
 * FILE: a line "TOUCHED KEPT SHARE OTHERS", then KEPT page numbers of 8 bytes in order of time.
 * TOUCHED is the length of the string before anything was left out, one page in SHARE is kept, and
 * OTHERS counts the accesses of other processes while it ran.
 *
 * The declarations are those of QEMU's plugin interface, version 1; Debian has no header of it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define EXPORT      __attribute__((visibility("default")))
#define UPPER_HALF  0x800000000000u
#define PAGE_SHIFT  12
#define SPACE_SHIFT 40 /* a page's number and above it its space's */
#define NEAR        16
#define INIT        1 /* its thread; the kernel's own have no numbers above 0 */

enum { NO_REGISTERS = 0, LOADS_AND_STORES = 3 };

struct tb;
struct insn;
typedef uint64_t plugin_id;
typedef uint32_t meminfo;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*cb)(plugin_id id, struct tb *tb));
void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *i, void (*cb)(unsigned cpu, void *arg),
                                            int flags, void *arg);
void qemu_plugin_register_vcpu_mem_cb(struct insn *i,
                                      void (*cb)(unsigned, meminfo, uint64_t va, void *),
                                      int flags, int rw, void *arg);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id id, void *arg),
                                    void *arg);
size_t qemu_plugin_tb_n_insns(const struct tb *tb);
struct insn *qemu_plugin_tb_get_insn(const struct tb *tb, size_t n);
uint64_t qemu_plugin_insn_vaddr(const struct insn *i);

EXPORT int qemu_plugin_version = 1;

struct reference {
    uint64_t time, page;
};

/* One of the pages touched last.  joined: how many pages had joined them at that moment. */
struct near {
    uint64_t page;
    uint64_t kept, joined_at_kept; /* the last reference that was kept */
    uint64_t last, joined_at_last; /* the last one of all */
};

static char out[4096], ram_file[4096];
static uint64_t thread_at, table_at, limit = 1 << 20;
static const uint8_t *ram;

static struct near near[NEAR]; /* the latest first */
static uint64_t now, joined, share = 1, others;
static struct reference *kept;
static uint64_t kept_count;

static bool
chosen(uint64_t page)
{
    uint64_t mixed = page * 0x9e3779b97f4a7c15u;

    return (mixed >> 32 & (share - 1)) == 0;
}

static void
keep(uint64_t page, uint64_t time)
{
    if (!chosen(page))
        return;
    while (kept_count == limit) {
        uint64_t n = 0;

        share *= 2;
        for (uint64_t i = 0; i < kept_count; i++)
            if (chosen(kept[i].page))
                kept[n++] = kept[i];
        kept_count = n;
    }
    if (chosen(page))
        kept[kept_count++] = (struct reference){time, page};
}

static void
keep_last(struct near *n)
{
    if (n->last == n->kept)
        return;
    keep(n->page, n->last);
    n->kept = n->last;
    n->joined_at_kept = n->joined_at_last;
}

/* The program touches a page. */
static void
touch(uint64_t page)
{
    struct near it;
    int at = 0;

    if (now > 0 && page == near[0].page)
        return;
    now++;
    while (at < NEAR && near[at].page != page)
        at++;
    if (at < NEAR) {
        if (joined - near[at].joined_at_kept >= NEAR)
            keep_last(&near[at]);
        it = near[at];
    } else {
        at = NEAR - 1;
        keep_last(&near[at]);
        joined++;
        it = (struct near){.page = page, .kept = now, .joined_at_kept = joined};
        keep(page, now);
    }
    it.last = now;
    it.joined_at_last = joined;
    memmove(&near[1], &near[0], (size_t)at * sizeof(near[0]));
    near[0] = it;
}

static void
map_ram(void)
{
    int fd = open(ram_file, O_RDONLY);
    struct stat s;

    if (fd >= 0 && fstat(fd, &s) == 0)
        ram = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || ram == MAP_FAILED) {
        perror(ram_file);
        exit(1);
    }
}

/* An access to an address of the lower half: is it the program's, and in which of its spaces? */
static void
access_page(uint64_t va, bool from_user)
{
    static int program; /* or a child of init's that may become it */
    static uint64_t elsewhere;
    static uint64_t table, space; /* the program's; 0: still the copy of init's */
    int thread;
    uint64_t loaded;

    if (ram == NULL) /* QEMU made the file after it loaded us */
        map_ram();
    memcpy(&thread, ram + thread_at, sizeof(thread));
    memcpy(&loaded, ram + table_at, sizeof(loaded));
    if (thread <= INIT || loaded == 0)
        return;
    if (space == 0 && from_user && thread != program) {
        program = thread;
        table = loaded;
    }
    if (thread == program && loaded != table) {
        table = loaded;
        space++;
    }
    if (space > 0 && loaded == table) {
        touch(space << SPACE_SHIFT | va >> PAGE_SHIFT);
        others = elsewhere;
    } else if (space > 0) {
        elsewhere++;
    }
}

static void
on_access(unsigned cpu, meminfo info, uint64_t va, void *pc)
{
    (void)cpu, (void)info;
    if (va < UPPER_HALF)
        access_page(va, (uintptr_t)pc < UPPER_HALF);
}

static void
on_fetch(unsigned cpu, void *pc)
{
    (void)cpu;
    access_page((uintptr_t)pc, true);
}

/* Firmware and the first steps of the kernel run at low addresses too: no thread runs then. */
static void
on_translate(plugin_id id, struct tb *tb)
{
    uint64_t page = UINT64_MAX;

    (void)id;
    for (size_t i = 0, n = qemu_plugin_tb_n_insns(tb); i < n; i++) {
        struct insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t pc = qemu_plugin_insn_vaddr(insn);

        if (pc < UPPER_HALF && pc >> PAGE_SHIFT != page)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_fetch, NO_REGISTERS,
                                                   (void *)(uintptr_t)pc);
        page = pc >> PAGE_SHIFT;
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, NO_REGISTERS, LOADS_AND_STORES,
                                         (void *)(uintptr_t)pc);
    }
}

static int
by_time(const void *a, const void *b)
{
    uint64_t x = ((const struct reference *)a)->time, y = ((const struct reference *)b)->time;

    return (x > y) - (x < y);
}

static void
on_end(plugin_id id, void *unused)
{
    FILE *f = fopen(out, "wb");

    (void)id, (void)unused;
    if (f == NULL)
        return;
    for (int i = 0; i < NEAR; i++)
        keep_last(&near[i]);
    qsort(kept, kept_count, sizeof(*kept), by_time);
    fprintf(f, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", now, kept_count, share,
            others);
    for (uint64_t i = 0; i < kept_count; i++)
        fwrite(&kept[i].page, sizeof(kept[i].page), 1, f);
    fclose(f);
}

EXPORT int
qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            snprintf(out, sizeof(out), "%s", argv[i] + 4);
        else if (strncmp(argv[i], "ram=", 4) == 0)
            snprintf(ram_file, sizeof(ram_file), "%s", argv[i] + 4);
        else if (strncmp(argv[i], "thread=", 7) == 0)
            thread_at = strtoull(argv[i] + 7, NULL, 0);
        else if (strncmp(argv[i], "table=", 6) == 0)
            table_at = strtoull(argv[i] + 6, NULL, 0);
        else if (strncmp(argv[i], "limit=", 6) == 0)
            limit = strtoull(argv[i] + 6, NULL, 0);
        else
            return -1;
    }
    for (int i = 0; i < NEAR; i++)
        near[i].page = UINT64_MAX;
    kept = malloc(limit * sizeof(*kept));
    if (kept == NULL)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
