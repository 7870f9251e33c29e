/*
 * refs_driver.c - tools/vitrine/refs.c without QEMU: page numbers from standard input.
 *
 * Used by tests/test_policies.py.  Arguments: the plugin's own.
 */
#include "../tools/vitrine/refs.c"

static void (*ended)(plugin_id, void *);

void
qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct tb *))
{
    (void)id, (void)cb;
}

void
qemu_plugin_register_vcpu_insn_exec_cb(struct insn *i, void (*cb)(unsigned, void *), int flags,
                                       void *arg)
{
    (void)i, (void)cb, (void)flags, (void)arg;
}

void
qemu_plugin_register_vcpu_mem_cb(struct insn *i,
                                 void (*cb)(unsigned, meminfo, uint64_t, void *), int flags,
                                 int rw, void *arg)
{
    (void)i, (void)cb, (void)flags, (void)rw, (void)arg;
}

void
qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *), void *arg)
{
    (void)id, (void)arg;
    ended = cb;
}

size_t
qemu_plugin_tb_n_insns(const struct tb *tb)
{
    (void)tb;
    return 0;
}

struct insn *
qemu_plugin_tb_get_insn(const struct tb *tb, size_t n)
{
    (void)tb, (void)n;
    return NULL;
}

uint64_t
qemu_plugin_insn_vaddr(const struct insn *i)
{
    (void)i;
    return 0;
}

int
main(int argc, char **argv)
{
    uint64_t page;

    if (qemu_plugin_install(0, NULL, argc - 1, argv + 1) != 0)
        return 1;
    while (scanf("%" SCNu64, &page) == 1)
        touch(page);
    ended(0, NULL);
    return 0;
}
