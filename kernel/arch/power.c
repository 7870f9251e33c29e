/*
 * power.c - off, and on again.
 *
 * Off is tried in the order of how much it tells: QEMU's isa-debug-exit hands a code to
 * the host; ACPI's S5 works on every PC; a stopped processor at least keeps still.
 */
#include "kernel/arch/power.h"

#include "kernel/arch/acpi.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/io.h"

#define DEBUG_EXIT_PORT 0xf4

#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_BUSY    2
#define KEYBOARD_RESET   0xfe
#define RESET_CYCLES     (1UL << 31)

#define PM1_SCI_ENABLE   1
#define PM1_SLEEP_TYPE   10 /* shift */
#define PM1_SLEEP_ENABLE (1U << 13)

void
cpu_stop(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

/*
 * ACPI 6.4, 4.8.3.2.1 and 16.1.7: firmware may have left the registers to its own SMI handler.
 */
static void
acpi_take_over(void)
{
    if (acpi_info.smi_command == 0 || (inw(acpi_info.pm1a) & PM1_SCI_ENABLE))
        return;
    outb(acpi_info.smi_command, acpi_info.acpi_enable);
    for (int i = 0; i < 100000 && !(inw(acpi_info.pm1a) & PM1_SCI_ENABLE); i++)
        cpu_relax();
}

static void
acpi_power_off(void)
{
    if (!acpi_info.s5_known || acpi_info.pm1a == 0)
        return;
    acpi_take_over();
    outw(acpi_info.pm1a, acpi_info.s5_a << PM1_SLEEP_TYPE | PM1_SLEEP_ENABLE);
    if (acpi_info.pm1b != 0)
        outw(acpi_info.pm1b, acpi_info.s5_b << PM1_SLEEP_TYPE | PM1_SLEEP_ENABLE);
}

void
machine_exit(unsigned code)
{
    __asm__ volatile("cli" ::: "memory");
    outl(DEBUG_EXIT_PORT, code);
    acpi_power_off();
    cpu_stop();
}

void
machine_reboot(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } PACKED no_idt = {0};

    __asm__ volatile("cli" ::: "memory");
    for (int i = 0; i < 100000 && (inb(KEYBOARD_COMMAND) & KEYBOARD_BUSY); i++)
        cpu_relax();
    outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
    /* About a second: an emulator's other thread does it, and must not see a triple fault. */
    for (uint64_t start = rdtsc(); rdtsc() - start < RESET_CYCLES;)
        cpu_relax();
    __asm__ volatile(
        "lidt %0; int3" ::"m"(no_idt)); /* no gate, no double fault: a triple fault */
    cpu_stop();
}
