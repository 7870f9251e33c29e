/*
 * replay.c - a plugin of QEMU's for a run that is done again: who stores to a place of the guest's
 * RAM, and the end of the machine at a given instruction.
 *
 *     -plugin replay.so,out=FILE[,at=PHYSICAL,size=BYTES][,until=INSTRUCTION]
 *
 * Every store of every processor passes by here.  Those that touch the place, by whatever virtual
 * address, are kept, and the last KEPT of them are written to FILE when QEMU ends, a line each:
 * instructions executed so far, processor, address of the instruction, virtual address, bytes.
 * The first line is how many instructions there were, and how many stores to the place.
 *
 * Instructions are counted by blocks as QEMU translates them, which is the same in each repetition.
 * Under -icount all processors run in one thread, in turns, so nothing here is locked.
 *
 * The declarations are those of QEMU's plugin interface, version 1 (docs/devel/tcg-plugins.rst);
 * Debian has no header of it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define KEPT   64

enum { NO_REGISTERS = 0, STORES = 2, ADD = 0 };

struct tb;
struct insn;
struct hwaddr;
typedef uint64_t plugin_id;
typedef uint32_t meminfo;
typedef void (*mem_callback)(unsigned cpu, meminfo info, uint64_t va, void *arg);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*cb)(plugin_id id, struct tb *tb));
void qemu_plugin_register_vcpu_tb_exec_inline(struct tb *tb, int op, void *counter,
                                              uint64_t by);
void qemu_plugin_register_vcpu_mem_cb(struct insn *i, mem_callback cb, int flags, int rw,
                                      void *arg);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id id, void *arg),
                                    void *arg);
size_t qemu_plugin_tb_n_insns(const struct tb *tb);
struct insn *qemu_plugin_tb_get_insn(const struct tb *tb, size_t n);
uint64_t qemu_plugin_insn_vaddr(const struct insn *i);
struct hwaddr *qemu_plugin_get_hwaddr(meminfo info, uint64_t va);
bool qemu_plugin_hwaddr_is_io(const struct hwaddr *h);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct hwaddr *h);
unsigned qemu_plugin_mem_size_shift(meminfo info);
bool qemu_plugin_mem_is_store(meminfo info);

EXPORT int qemu_plugin_version = 1;

struct store {
    uint64_t time, pc, va;
    unsigned cpu, size;
};

static uint64_t at, size, until = UINT64_MAX, executed, found;
static struct store last[KEPT];
static char out[4096];

static void
write_out(void)
{
    FILE *f = fopen(out, "w");

    if (f == NULL)
        return;
    fprintf(f, "%" PRIu64 " %" PRIu64 "\n", executed, found);
    for (uint64_t n = found < KEPT ? 0 : found - KEPT; n < found; n++) {
        const struct store *s = &last[n % KEPT];

        fprintf(f, "%" PRIu64 " %u %#" PRIx64 " %#" PRIx64 " %u\n", s->time, s->cpu, s->pc,
                s->va, s->size);
    }
    fclose(f);
}

static void
on_store(unsigned cpu, meminfo info, uint64_t va, void *pc)
{
    unsigned bytes = 1U << qemu_plugin_mem_size_shift(info);

    if (executed >= until) { /* the RAM is a file, and stays as it is at this moment */
        write_out();
        _exit(0);
    }
    if (!qemu_plugin_mem_is_store(info)) /* QEMU 7.2 calls for loads, too */
        return;
    /* The place within its page is known before the page is looked up. */
    if (((va - at) & 4095) >= size && ((at - va) & 4095) >= bytes)
        return;
    struct hwaddr *h = qemu_plugin_get_hwaddr(info, va);

    if (h == NULL || qemu_plugin_hwaddr_is_io(h))
        return;
    uint64_t pa = qemu_plugin_hwaddr_phys_addr(h);

    if (pa < at + size && at < pa + bytes)
        last[found++ % KEPT] =
            (struct store){executed, (uint64_t)(uintptr_t)pc, va, cpu, bytes};
}

static void
on_translate(plugin_id id, struct tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD, &executed, n);
    for (size_t i = 0; i < n; i++) {
        struct insn *insn = qemu_plugin_tb_get_insn(tb, i);

        qemu_plugin_register_vcpu_mem_cb(insn, on_store, NO_REGISTERS, STORES,
                                         (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn));
    }
}

static void
on_end(plugin_id id, void *unused)
{
    (void)id;
    (void)unused;
    write_out();
}

EXPORT int
qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "at=", 3) == 0)
            at = strtoull(argv[i] + 3, NULL, 0);
        else if (strncmp(argv[i], "size=", 5) == 0)
            size = strtoull(argv[i] + 5, NULL, 0);
        else if (strncmp(argv[i], "until=", 6) == 0)
            until = strtoull(argv[i] + 6, NULL, 0);
        else if (strncmp(argv[i], "out=", 4) == 0)
            snprintf(out, sizeof(out), "%s", argv[i] + 4);
        else
            return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
