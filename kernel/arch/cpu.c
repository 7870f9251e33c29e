/*
 * cpu.c - turning a processor that boot.asm brought into long mode into one that
 * the kernel can trust.
 *
 * Owns the GDT, the TSS and the stacks of the three exceptions that cannot use the
 * thread's own (#DF, NMI, #MC), the control registers, and what CPUID said.  A bit of
 * CR4 is set only when CPUID has its feature: setting another is #GP on a processor
 * and a hang under TCG.
 *
 * Sources: Intel SDM vol. 3A 2.5 (control registers), 3.4.5 (descriptors), 7.7 (64-bit
 * TSS), 6.14.5 (IST), vol. 4 (MSRs); vol. 2A CPUID.
 */
#include "kernel/arch/cpu.h"

#include "kernel/arch/earlycon.h"
#include "kernel/arch/fpu.h"
#include "kernel/arch/io.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/vectors.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"

#define MSR_PAT            0x277
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_KERNEL_GS_BASE 0xc0000102 /* inside the kernel: the user's, until the next SWAPGS */

#define EFER_SCE 1UL

#define CR0_MP (1UL << 1)
#define CR0_EM (1UL << 2)
#define CR0_TS (1UL << 3)
#define CR0_NE (1UL << 5)
#define CR0_WP (1UL << 16)
#define CR0_AM (1UL << 18)

#define CR4_TSD        (1UL << 2)
#define CR4_PGE        (1UL << 7)
#define CR4_OSFXSR     (1UL << 9)
#define CR4_OSXMMEXCPT (1UL << 10)
#define CR4_UMIP       (1UL << 11)
#define CR4_FSGSBASE   (1UL << 16)
#define CR4_OSXSAVE    (1UL << 18)
#define CR4_SMEP       (1UL << 20)
#define CR4_SMAP       (1UL << 21)

/*
 * Memory types by PWT (bit 0) and PCD (bit 1): WB, WC, UC-, UC; only the second is
 * not the reset value.
 */
#define PAT_VALUE 0x0007040600070106UL

#define HWCAP2_FSGSBASE (1U << 1)

#define SEL_TSS 0x28

#define PORT_SYSTEM_CONTROL 0x61 /* reading it changes nothing */
#define JITTER_ROUNDS       64

#define DF_STACK_SIZE  8192 /* panics, and prints a page walk */
#define IST_STACK_SIZE 4096

/* Hardware's; the fields are not aligned. */
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map; /* at or beyond the limit: no port is the user's */
} PACKED;

STATIC_ASSERT(sizeof(struct tss) == 104);

struct cpu_arch {
    uint64_t gdt[7];
    struct tss tss;
};

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} PACKED;

struct cpu *cpus[CPU_MAX];
unsigned cpu_count;
struct cpu_features cpu_features;

static struct cpu boot_cpu;
static struct cpu_arch arch_of[CPU_MAX];
static uint8_t df_stacks[CPU_MAX][DF_STACK_SIZE] ALIGNED(16);
static uint8_t nmi_stacks[CPU_MAX][IST_STACK_SIZE] ALIGNED(16);
static uint8_t mc_stacks[CPU_MAX][IST_STACK_SIZE] ALIGNED(16);

void syscall_entry(void);

/* Filled in by the uses of smap.inc. */
struct smap_site {
    uint8_t *at;
    uint64_t last_byte; /* CLAC and STAC are 0f 01 and this */
};
extern const struct smap_site smap_sites_start[], smap_sites_end[];

static bool
bit(uint32_t word, unsigned n)
{
    return word >> n & 1;
}

static void
read_features(void)
{
    struct cpu_features *f = &cpu_features;
    uint32_t max[4], r1[4], r7[4] = {0};

    cpuid(0, 0, max);
    cpuid(1, 0, r1);
    if (max[0] >= 7)
        cpuid(7, 0, r7);

    f->xsave = bit(r1[2], 26) && max[0] >= 0xd;
    f->rdrand = bit(r1[2], 30);
    f->fsgsbase = bit(r7[1], 0);
    f->smep = bit(r7[1], 7);
    f->rdseed = bit(r7[1], 18);
    f->smap = bit(r7[1], 20);
    f->umip = bit(r7[2], 2);
    f->hwcap = r1[3];
    f->hwcap2 = f->fsgsbase ? HWCAP2_FSGSBASE : 0;
}

/* While the boot page tables still let us write to the kernel's text. */
static void
patch_smap_sites(void)
{
    for (const struct smap_site *s = smap_sites_start; s != smap_sites_end; s++) {
        s->at[0] = 0x0f;
        s->at[1] = 0x01;
        s->at[2] = s->last_byte;
    }
}

static void
set_control_registers(void)
{
    const struct cpu_features *f = &cpu_features;
    uint64_t cr0, cr4;

    __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
    cr0 &= ~(CR0_EM | CR0_TS);
    cr0 |= CR0_MP | CR0_NE | CR0_WP | CR0_AM;
    __asm__ volatile("movq %0, %%cr0" ::"r"(cr0));

    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    cr4 &= ~CR4_TSD;
    cr4 |= CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cr4 |= f->umip ? CR4_UMIP : 0;
    cr4 |= f->fsgsbase ? CR4_FSGSBASE : 0;
    cr4 |= f->xsave ? CR4_OSXSAVE : 0;
    cr4 |= f->smep ? CR4_SMEP : 0;
    cr4 |= f->smap ? CR4_SMAP : 0;
    __asm__ volatile("movq %0, %%cr4" ::"r"(cr4) : "memory");
    wrmsr(MSR_PAT, PAT_VALUE);
}

static void
set_syscall_registers(void)
{
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    /* SYSRET takes SS from here + 8 and CS from + 16. */
    wrmsr(MSR_STAR, (uint64_t)(SEL_USER_DATA - 8) << 48 | (uint64_t)SEL_KERNEL_CODE << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_CSTAR, 0);
    wrmsr(MSR_SFMASK, RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC | RFLAGS_NT);
}

/* IST entries are 1 to 7.  The word at the top of the stack is for paranoid_entry. */
static void
set_ist(struct tss *t, unsigned ist, uint8_t *stack, size_t size, struct cpu *c)
{
    uint64_t *top = (uint64_t *)(stack + size - 16);

    top[0] = (uint64_t)c;
    t->ist[ist - 1] = (uint64_t)top;
}

static void
make_gdt(struct cpu_arch *a)
{
    uint64_t base = (uint64_t)&a->tss;
    uint64_t limit = sizeof(a->tss) - 1;

    a->gdt[SEL_KERNEL_CODE / 8] = 0x00af9b000000ffff;
    a->gdt[SEL_KERNEL_DATA / 8] = 0x00cf93000000ffff;
    a->gdt[SEL_USER_DATA / 8] = 0x00cff3000000ffff;
    a->gdt[SEL_USER_CODE / 8] = 0x00affb000000ffff;
    a->gdt[SEL_TSS / 8] =
        limit | (base & 0xffffff) << 16 | 0x89UL << 40 | (base >> 24 & 0xff) << 56;
    a->gdt[SEL_TSS / 8 + 1] = base >> 32;
}

/*
 * Loads the GDT and every segment register; this clears GS's base, so it comes
 * before that is set.
 */
static void
load_gdt(struct cpu_arch *a)
{
    struct table_pointer p = {.limit = sizeof(a->gdt) - 1, .base = (uint64_t)a->gdt};

    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movw %2, %%ds\n\t"
                     "movw %2, %%es\n\t"
                     "movw %2, %%ss\n\t"
                     "movw %3, %%fs\n\t"
                     "movw %3, %%gs\n\t"
                     "ltr %4"
                     :
                     : "m"(p), "i"(SEL_KERNEL_CODE), "r"((uint16_t)SEL_KERNEL_DATA),
                       "r"((uint16_t)0), "r"((uint16_t)SEL_TSS)
                     : "rax", "memory");
}

void
cpu_init(struct cpu *c, unsigned id)
{
    ASSERT(id < CPU_MAX);

    struct cpu_arch *a = &arch_of[id];
    memset(c, 0, sizeof(*c));
    c->self = c;
    c->id = id;
    c->arch = a;
    memset(a, 0, sizeof(*a));
    set_ist(&a->tss, IST_DF, df_stacks[id], DF_STACK_SIZE, c);
    set_ist(&a->tss, IST_NMI, nmi_stacks[id], IST_STACK_SIZE, c);
    set_ist(&a->tss, IST_MC, mc_stacks[id], IST_STACK_SIZE, c);
    a->tss.io_map = sizeof(a->tss);
    make_gdt(a);
    load_gdt(a);
    wrmsr(MSR_GS_BASE, (uint64_t)c);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    wrmsr(MSR_FS_BASE, 0);
    vectors_load();
    set_control_registers();
    set_syscall_registers();
    fpu_init_cpu();
}

void
cpu_online(struct cpu *c)
{
    ASSERT(c->id == cpu_count);
    cpus[c->id] = c;
    __atomic_store_n(&cpu_count, c->id + 1, __ATOMIC_RELEASE);
}

void
cpu_early_init(void)
{
    boot_cpu.self = &boot_cpu;
    wrmsr(MSR_GS_BASE, (uint64_t)&boot_cpu); /* from here on ASSERT and kprintf work */
    earlycon_init();
    log_add_sink(earlycon_write);
    read_features();
    if (cpu_features.smap)
        patch_smap_sites(); /* before the first trap */
    vectors_init();
    cpu_init(&boot_cpu, 0);
    cpu_online(&boot_cpu);
}

void
cpu_set_kernel_stack(vaddr_t top)
{
    struct cpu *c = this_cpu();
    struct cpu_arch *a = c->arch;

    c->kernel_stack = top;
    a->tss.rsp[0] = top;
}

void
cpu_set_user_fs(uint64_t base)
{
    wrmsr(MSR_FS_BASE, base);
}

uint64_t
cpu_get_user_fs(void)
{
    return rdmsr(MSR_FS_BASE);
}

void
cpu_set_user_gs(uint64_t base)
{
    wrmsr(MSR_KERNEL_GS_BASE, base);
}

uint64_t
cpu_get_user_gs(void)
{
    return rdmsr(MSR_KERNEL_GS_BASE);
}

/*
 * Intel SDM vol. 1, 7.3.17: RDSEED and RDRAND may have nothing to give; carry is
 * set when they do.
 */
static bool
hardware_random(uint64_t *v)
{
    bool ok = false;

    for (int i = 0; i < 10 && !ok; i++) {
        if (cpu_features.rdseed)
            __asm__ volatile("rdseed %0" : "=r"(*v), "=@ccc"(ok));
        else if (cpu_features.rdrand)
            __asm__ volatile("rdrand %0" : "=r"(*v), "=@ccc"(ok));
    }
    return ok;
}

/*
 * SplitMix64's finalizer (Steele, Lea, Flood 2014): each bit of the sum reaches every
 * bit of the result.
 */
static uint64_t
stir(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9UL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebUL;
    return x ^ x >> 31;
}

/*
 * What the processor's own generator gives and, for one that has none, jitter: how long a port
 * of the chipset takes to answer differs from time to time by a few ticks of the processor's
 * clock, for the two have clocks of their own.
 */
uint64_t
cpu_entropy(void)
{
    static uint64_t state;
    uint64_t v = 0;

    hardware_random(&v);
    for (int i = 0; i < JITTER_ROUNDS; i++) {
        (void)inb(PORT_SYSTEM_CONTROL);
        state = stir(state + rdtsc() + 0x9e3779b97f4a7c15UL);
    }
    return stir(state ^ v);
}
