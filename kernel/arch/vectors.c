/*
 * vectors.c - the table by which the processor finds entry.asm (Intel SDM vol. 3A 6.14.1).
 *
 * All gates are interrupt gates, so every entry begins with interrupts off.  A user may
 * raise only #BP and #OF by INT n; any other INT n is #GP.
 */
#include "kernel/arch/vectors.h"

#define GATE_INTERRUPT 0x8e /* present, DPL 0, 64-bit interrupt gate */
#define GATE_DPL_3     0x60

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_mid;
    uint32_t offset_high, reserved;
};

STATIC_ASSERT(sizeof(struct gate) == 16);

extern const uint64_t trap_stubs[256];

static struct gate idt[256] ALIGNED(16);

static void
set_gate(unsigned vector, uint8_t ist, uint8_t more)
{
    uint64_t entry = trap_stubs[vector];

    idt[vector] = (struct gate){
        .offset_low = entry & 0xffff,
        .offset_mid = entry >> 16 & 0xffff,
        .offset_high = entry >> 32,
        .selector = SEL_KERNEL_CODE,
        .ist = ist,
        .type = GATE_INTERRUPT | more,
    };
}

void
vectors_init(void)
{
    for (unsigned v = 0; v < ARRAY_SIZE(idt); v++)
        set_gate(v, 0, 0);
    set_gate(TRAP_BP, 0, GATE_DPL_3);
    set_gate(TRAP_OF, 0, GATE_DPL_3);
    set_gate(TRAP_DF, IST_DF, 0);
    set_gate(TRAP_NMI, IST_NMI, 0);
    set_gate(TRAP_MC, IST_MC, 0);
}

void
vectors_load(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } PACKED p = {.limit = sizeof(idt) - 1, .base = (uint64_t)idt};

    __asm__ volatile("lidt %0" ::"m"(p));
}
