/*
 * acpi.c - from the root pointer to the MADT (interrupts, processors) and the FADT (power-off).
 *
 * No AML interpreter: the one object that is needed, \_S5, is found by its name in the DSDT.
 * SIMPLE: a real kernel runs AML; every DSDT we have met writes \_S5 as a plain package.
 *
 * Source: ACPI Specification 6.4: 5.2.5 (RSDP), 5.2.7 (RSDT), 5.2.9 (FADT), 5.2.12 (MADT),
 * 7.4.2 (\_Sx), 20.2 (AML encoding).
 */
#include "kernel/arch/acpi.h"

#include "kernel/lib/printf.h"
#include "kernel/lib/string.h"
#include "mm/layout.h"

#define TABLE_MAX (4 * MIB) /* a longer one is damaged */

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision; /* 0: only what stands above rsdt's end */
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
} PACKED;

struct table {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} PACKED;

STATIC_ASSERT(sizeof(struct table) == 36);

struct fadt {
    struct table header;
    uint32_t facs, dsdt;
    uint8_t reserved, profile;
    uint16_t sci;
    uint32_t smi_command;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control;
} PACKED;

STATIC_ASSERT(offsetof(struct fadt, pm1a_control) == 64);

struct madt {
    struct table header;
    uint32_t lapic, flags;
} PACKED;

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_ADDRESS = 5 };

#define MADT_ENABLED        1
#define POLARITY_ACTIVE_LOW 3
#define TRIGGER_LEVEL       3

struct madt_entry {
    uint8_t type, length;
    union {
        struct {
            uint8_t uid, apic_id;
            uint32_t flags;
        } PACKED lapic;
        struct {
            uint8_t id, reserved;
            uint32_t addr, gsi_base;
        } PACKED ioapic;
        struct {
            uint8_t bus, line;
            uint32_t gsi;
            uint16_t flags;
        } PACKED override;
        struct {
            uint16_t reserved;
            uint64_t addr;
        } PACKED lapic_address;
    };
} PACKED;

struct acpi_info acpi_info;

/* Bytes at [pa, pa + len) if the boot page tables show them; else NULL. */
static const void *
view(paddr_t pa, uint64_t len)
{
    if (pa == 0 || pa >= 4 * GIB || len > 4 * GIB - pa)
        return NULL;
    return phys_to_virt(pa);
}

static bool
sum_is_zero(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t sum = 0;

    while (n-- > 0)
        sum += *b++;
    return sum == 0;
}

/* A whole table, or NULL if it is out of reach or damaged. */
static const struct table *
table_at(paddr_t pa)
{
    const struct table *t = view(pa, sizeof(*t));

    if (t == NULL || t->length < sizeof(*t) || t->length > TABLE_MAX)
        return NULL;
    return view(pa, t->length) != NULL && sum_is_zero(t, t->length) ? t : NULL;
}

static void
read_override(const struct madt_entry *e)
{
    unsigned line = e->override.line;

    if (e->override.bus != 0 || line >= ACPI_ISA_LINES)
        return;
    acpi_info.isa[line] = (struct acpi_isa){
        .gsi = e->override.gsi,
        .active_low = (e->override.flags & 3) == POLARITY_ACTIVE_LOW,
        .level = (e->override.flags >> 2 & 3) == TRIGGER_LEVEL,
    };
}

static void
read_madt_entry(const struct madt_entry *e)
{
    struct acpi_info *a = &acpi_info;

    switch (e->type) {
    case MADT_LAPIC:
        if ((e->lapic.flags & MADT_ENABLED) && a->ncpus < CPU_MAX)
            a->cpu_apic_ids[a->ncpus++] = e->lapic.apic_id;
        break;
    case MADT_IOAPIC:
        if (a->nioapics < ACPI_IOAPICS_MAX)
            a->ioapics[a->nioapics++] =
                (struct acpi_ioapic){e->ioapic.addr, e->ioapic.gsi_base};
        break;
    case MADT_OVERRIDE:
        read_override(e);
        break;
    case MADT_LAPIC_ADDRESS:
        a->lapic = e->lapic_address.addr;
        break;
    }
}

/* Bytes that an entry of each type has; one that claims fewer is not read. */
static unsigned
madt_entry_size(unsigned type)
{
    return type == MADT_LAPIC ? 8 : type == MADT_OVERRIDE ? 10 : 12;
}

static void
read_madt(const struct table *t)
{
    const struct madt *m = (const struct madt *)t;
    const char *p = (const char *)(m + 1);
    const char *end = (const char *)m + t->length;

    if (t->length < sizeof(*m))
        return;
    acpi_info.lapic = m->lapic;
    while (p + 2 <= end) {
        const struct madt_entry *e = (const struct madt_entry *)p;

        if (e->length < 2 || p + e->length > end)
            break;
        if (e->length >= madt_entry_size(e->type))
            read_madt_entry(e);
        p += e->length;
    }
}

/* One element of an AML package that is a small number; moves *p behind it. */
static bool
read_aml_byte(const uint8_t **p, const uint8_t *end, uint8_t *value)
{
    if (*p < end && **p <= 1) { /* ZeroOp, OneOp */
        *value = *(*p)++;
        return true;
    }
    if (*p + 1 < end && **p == 0x0a) { /* BytePrefix */
        *value = (*p)[1];
        *p += 2;
        return true;
    }
    return false;
}

/*
 * @p: behind the name.  PackageOp, its length in 1 to 4 bytes, the count
 * of elements, the elements.
 */
static bool
read_s5(const uint8_t *p, const uint8_t *end)
{
    if (p + 3 > end || *p++ != 0x12)
        return false;
    p += 1 + (*p >> 6); /* the top bits say how many more bytes the length has */
    p += 1;
    return read_aml_byte(&p, end, &acpi_info.s5_a) && read_aml_byte(&p, end, &acpi_info.s5_b);
}

static void
find_s5(const struct table *dsdt)
{
    const uint8_t *p = (const uint8_t *)(dsdt + 1);
    const uint8_t *end = (const uint8_t *)dsdt + dsdt->length;

    for (; p + 4 < end && !acpi_info.s5_known; p++)
        if (*p == '_' && memcmp(p, "_S5_", 4) == 0)
            acpi_info.s5_known = read_s5(p + 4, end);
}

static void
read_fadt(const struct table *t)
{
    const struct fadt *f = (const struct fadt *)t;

    if (t->length < sizeof(*f))
        return;
    acpi_info.pm1a = f->pm1a_control;
    acpi_info.pm1b = f->pm1b_control;
    acpi_info.smi_command = f->smi_command;
    acpi_info.acpi_enable = f->acpi_enable;
    const struct table *dsdt = table_at(f->dsdt);
    if (dsdt != NULL)
        find_s5(dsdt);
}

static void
read_table(paddr_t pa)
{
    const struct table *t = table_at(pa);

    if (t == NULL)
        return;
    if (memcmp(t->signature, "APIC", 4) == 0)
        read_madt(t);
    else if (memcmp(t->signature, "FACP", 4) == 0)
        read_fadt(t);
}

/* The RSDT has addresses of 4 bytes, the XSDT of 8; neither is aligned. */
static void
read_root(const struct table *root, size_t entry_size)
{
    const char *p = (const char *)(root + 1);
    size_t n = (root->length - sizeof(*root)) / entry_size;

    for (size_t i = 0; i < n; i++, p += entry_size) {
        uint64_t pa = 0;

        memcpy(&pa, p, entry_size);
        read_table(pa);
    }
}

static void
set_defaults(void)
{
    acpi_info = (struct acpi_info){.lapic = 0xfee00000};
    for (unsigned i = 0; i < ACPI_ISA_LINES; i++)
        acpi_info.isa[i].gsi = i;
}

void
acpi_init(paddr_t pa)
{
    const struct rsdp *r = view(pa, sizeof(*r));
    const struct table *root = NULL;

    set_defaults();
    if (r != NULL && memcmp(r->signature, "RSD PTR ", 8) == 0) {
        if (r->revision >= 2)
            root = table_at(r->xsdt);
        if (root != NULL)
            read_root(root, 8);
        else if ((root = table_at(r->rsdt)) != NULL)
            read_root(root, 4);
    }
    acpi_info.present = root != NULL;
    if (acpi_info.nioapics == 0) {
        kprintf("acpi: no I/O APIC is described, taking the usual one\n");
        acpi_info.ioapics[acpi_info.nioapics++] = (struct acpi_ioapic){0xfec00000, 0};
        acpi_info.isa[0].gsi = 2;
    }
}
