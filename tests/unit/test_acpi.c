/*
 * test_acpi.c - ACPI tables, as they should be and made of random bytes.
 *
 * The parsing functions get pointers, so they can be tested where no physical memory is.
 */
#include "kernel/arch/acpi.c"
#include "tests/unit/host.h"

#include "kernel/lib/string.c"

struct vitrine_layout vitrine_layout = {.image = KERNEL_BASE, .direct = KERNEL_HALF};

void
kprintf(const char *fmt UNUSED, ...)
{
}

/* A table of its own allocation, so that the sanitizer sees one byte too far. */
static struct table *
make_table(const char *signature, const void *body, uint32_t size)
{
    struct table *t = calloc(1, sizeof(*t) + size);

    memcpy(t->signature, signature, 4);
    t->length = sizeof(*t) + size;
    memcpy(t + 1, body, size);
    return t;
}

static void
test_madt(void)
{
    static const uint8_t body[] = {
        0,   0,  0xe0, 0xfe, 1, 0, 0,    0,                   /* local APIC's address, flags */
        0,   8,  0,    3,    1, 0, 0,    0,                   /* a processor, usable */
        0,   8,  1,    4,    0, 0, 0,    0,                   /* one that is not */
        1,   12, 0,    0,    0, 0, 0xc0, 0xfe, 0,    0, 0, 0, /* I/O APIC */
        2,   10, 0,    0,    2, 0, 0,    0,    0,    0,       /* line 0 goes to input 2 */
        2,   10, 0,    9,    9, 0, 0,    0,    0x0f, 0,       /* line 9: level, active low */
        2,   10, 0,    99,   9, 0, 0,    0,    0x0f, 0,       /* no such line */
        200, 3,  7,                                           /* unknown */
        1,   4,  0,    0, /* too short for what it says it is */
    };
    struct table *t = make_table("APIC", body, sizeof(body));

    set_defaults();
    read_madt(t);
    free(t);
    CHECK(acpi_info.lapic == 0xfee00000);
    CHECK(acpi_info.ncpus == 1 && acpi_info.cpu_apic_ids[0] == 3);
    CHECK(acpi_info.nioapics == 1 && acpi_info.ioapics[0].addr == 0xfec00000);
    CHECK(acpi_info.isa[0].gsi == 2 && !acpi_info.isa[0].level);
    CHECK(acpi_info.isa[9].gsi == 9 && acpi_info.isa[9].level && acpi_info.isa[9].active_low);
    CHECK(acpi_info.isa[1].gsi == 1);
}

static bool
s5_of(const void *aml, uint32_t size)
{
    struct table *t = make_table("DSDT", aml, size);

    set_defaults();
    find_s5(t);
    free(t);
    return acpi_info.s5_known;
}

static void
test_s5(void)
{
    static const uint8_t bytes[] = {8, '_', 'S', '5', '_', 0x12, 7, 4, 0x0a, 5, 0x0a, 6, 0, 0};
    static const uint8_t ones[] = {8, '_', 'S', '5', '_', 0x12, 0x46, 0, 4, 1, 0, 0, 0};

    CHECK(s5_of(bytes, sizeof(bytes)) && acpi_info.s5_a == 5 && acpi_info.s5_b == 6);
    CHECK(s5_of(ones, sizeof(ones)) && acpi_info.s5_a == 1 && acpi_info.s5_b == 0);
    for (uint32_t cut = 0; cut < 12; cut++)
        CHECK(!s5_of(bytes, cut));
    CHECK(!s5_of("_S5_ but no package", 19));
}

static void
test_random(void)
{
    uint8_t body[64];

    for (unsigned n = 0; n < 100000; n++) {
        uint32_t size = host_random() % sizeof(body);

        for (uint32_t i = 0; i < size; i++)
            body[i] = host_random() % 4 ? host_random() % 14 : host_random();
        if (size > 8)
            memcpy(body + host_random() % (size - 4), "_S5_", 4);
        s5_of(body, size);
        struct table *t = make_table("APIC", body, size);
        read_madt(t);
        free(t);
        CHECK(acpi_info.ncpus <= CPU_MAX && acpi_info.nioapics <= ACPI_IOAPICS_MAX);
    }
}

int
main(void)
{
    test_madt();
    test_s5();
    test_random();
    printf("ok\n");
    return 0;
}
