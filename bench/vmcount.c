/*
 * vmcount.c - a plugin for QEMU that counts the guest's instructions between vmbench's marks.
 *
 *     qemu-system-x86_64 ... -plugin vmcount.so,out=FILE[,profile=FILE]
 *
 * FILE gets a line for each interval between the two marks, and two more:
 *
 *     interval USER KERNEL REPEATS INVLPG CR3
 *     boot INSTRUCTIONS     from the kernel's entry to the first instruction of a program
 *     total USER KERNEL REPEATS INVLPG CR3     of the whole run
 *
 * Instructions at addresses of the upper half are the kernel's.  REPEATS are the iterations of
 * REP string instructions beyond the first: QEMU executes, and -icount counts, each as an
 * instruction, so USER + KERNEL is what the time stamp counter shows, and less REPEATS what a
 * real processor would count.  Unlike that counter they leave out time spent waiting.
 *
 * The profile has for each interval a line "interval", and then a line "ADDRESS INSTRUCTIONS" for
 * each block of code that ran in it.
 *
 * Debian has no package with qemu-plugin.h; what is used of its interface (version 1, QEMU 6.0
 * to 8.2) is declared here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGS = 0, INLINE_ADD_U64 = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id,
                                                  void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *,
                                                   void (*)(unsigned, void *), int regs,
                                                   void *);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int op,
                                                       void *, uint64_t);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int op, void *,
                                                     uint64_t);
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
extern int qemu_plugin_install(plugin_id, const void *info, int argc, char **argv);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;

#define UPPER_HALF  0x800000000000u
#define IMAGE_START 0x100000u  /* a kernel is entered here or a little above, */
#define IMAGE_END   0x2000000u /* where the firmware does not run */

enum { USER, KERNEL, REPEATS, INVLPG, CR3, COUNTERS };

static uint64_t count[COUNTERS], count_at_start[COUNTERS];
static FILE *out, *profile;
static bool running;

/* One for each translated block, when there is a profile. */
static struct block {
    struct block *next;
    uint64_t address, now, at_start;
} * blocks;

static void
print_counts(const char *name, const uint64_t *from)
{
    fprintf(out, "%s", name);
    for (int i = 0; i < COUNTERS; i++)
        fprintf(out, " %llu", (unsigned long long)(count[i] - (from ? from[i] : 0)));
    fputc('\n', out);
    fflush(out);
}

static void
print_profile(void)
{
    if (profile == NULL)
        return;
    fprintf(profile, "interval\n");
    for (struct block *b = blocks; b != NULL; b = b->next)
        if (b->now > b->at_start)
            fprintf(profile, "%llx %llu\n", (unsigned long long)b->address,
                    (unsigned long long)(b->now - b->at_start));
}

/* The number of the mark is 1 for the start of an interval, and 2 for its end. */
static void
on_mark(unsigned cpu, void *number)
{
    (void)cpu;
    if ((uintptr_t)number == 1) {
        memcpy(count_at_start, count, sizeof(count));
        for (struct block *b = blocks; b != NULL; b = b->next)
            b->at_start = b->now;
        running = true;
    } else if (running) {
        print_counts("interval", count_at_start);
        print_profile();
        running = false;
    }
}

/* The same REP instruction with nothing in between is its next iteration. */
static void
on_rep(unsigned cpu, void *address)
{
    static uint64_t total_before;
    static void *address_before;
    uint64_t total = count[USER] + count[KERNEL];

    (void)cpu;
    if (address == address_before && total == total_before + 1)
        count[REPEATS]++;
    address_before = address;
    total_before = total;
}

/* Said once: how many instructions lie between the kernel's entry and the first program. */
static void
watch_boot(uint64_t address)
{
    static enum { FIRMWARE, LOW_KERNEL, HIGH_KERNEL, DONE } at;
    static uint64_t entered;
    uint64_t total = count[USER] + count[KERNEL];

    if (at == FIRMWARE && address >= IMAGE_START && address < IMAGE_END) {
        at = LOW_KERNEL;
        entered = total;
    } else if (at == LOW_KERNEL && address >= UPPER_HALF) {
        at = HIGH_KERNEL;
    } else if (at == HIGH_KERNEL && address < UPPER_HALF) {
        at = DONE;
        fprintf(out, "boot %llu\n", (unsigned long long)(total - entered));
    }
}

static bool
is_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xf0 || (byte & 0xe7) == 0x26 ||
           byte == 0x64 || byte == 0x65 || (byte & 0xf0) == 0x40;
}

/* Look out for the marks, string instructions under REP, INVLPG and loads of CR3. */
static void
classify(struct qemu_plugin_insn *insn)
{
    const uint8_t *p = qemu_plugin_insn_data(insn), *end = p + qemu_plugin_insn_size(insn);
    bool rep = false;
    int counter = -1;

    if (end - p == 8 && memcmp(p, "\x0f\x1f\x84\x00", 4) == 0 && memcmp(p + 5, "BMV", 3) == 0)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, NO_REGS, (void *)(uintptr_t)p[4]);
    for (; p < end && (*p == 0xf2 || *p == 0xf3 || is_prefix(*p)); p++)
        rep |= *p == 0xf2 || *p == 0xf3;
    if (p < end && rep && (*p >> 4 == 0xa || (*p & 0xfc) == 0x6c))
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_rep, NO_REGS,
                                               (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn));
    if (end - p > 2 && p[0] == 0x0f && p[1] == 0x22 && (p[2] >> 3 & 7) == 3)
        counter = CR3;
    if (end - p > 2 && p[0] == 0x0f && p[1] == 0x01 && p[2] < 0xc0 && (p[2] >> 3 & 7) == 7)
        counter = INVLPG;
    if (counter >= 0)
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count[counter], 1);
}

static void
on_translate(plugin_id id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);

    (void)id;
    watch_boot(qemu_plugin_tb_vaddr(tb)); /* it runs next: the counts are those until here */
    if (profile != NULL) {
        struct block *b = calloc(1, sizeof(*b));
        if (b == NULL)
            abort();
        b->address = qemu_plugin_tb_vaddr(tb);
        b->next = blocks;
        blocks = b;
        qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->now, n);
    }
    /* By instruction, not by block: a fault ends a block before its end. */
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        int side = qemu_plugin_insn_vaddr(insn) >= UPPER_HALF ? KERNEL : USER;
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count[side], 1);
        classify(insn);
    }
}

static void
at_exit(plugin_id id, void *unused)
{
    (void)id, (void)unused;
    print_counts("total", NULL);
    fclose(out);
    if (profile != NULL)
        fclose(profile);
}

int
qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "w");
        if (strncmp(argv[i], "profile=", 8) == 0 && !(profile = fopen(argv[i] + 8, "w")))
            return 1;
    }
    if (out == NULL) {
        fprintf(stderr, "vmcount: out=FILE is missing, or it cannot be written\n");
        return 1;
    }
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    return 0;
}
