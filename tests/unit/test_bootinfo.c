/*
 * test_bootinfo.c - reading the multiboot2 information, whole and damaged, and kernel options.
 */
#include "boot/bootinfo.c"
#include "tests/unit/host.h"

#include "boot/ranges.c"
#include "kernel/lib/string.c"

char kernel_start[1], kernel_text_end[1], kernel_rodata_end[1], kernel_end[1];
struct vitrine_layout vitrine_layout = {.image = KERNEL_BASE, .direct = KERNEL_HALF};
static unsigned messages;

void
kprintf(const char *fmt UNUSED, ...)
{
    messages++;
}

void
panic(const char *fmt, ...)
{
    printf("panic: %s\n", fmt);
    abort();
}

void
cpu_early_init(void)
{
}

void
acpi_init(paddr_t rsdp UNUSED)
{
}

/* The loader's information, built up tag by tag. */
static uint8_t info[2048] ALIGNED(8);
static uint32_t info_size;

static void
begin(void)
{
    memset(info, 0, sizeof(info));
    info_size = sizeof(struct mb2_info);
    bootinfo = (struct bootinfo){0};
    map.count = 0;
}

static void
add_tag(uint32_t type, const void *body, uint32_t size)
{
    struct mb2_tag tag = {type, sizeof(tag) + size};

    memcpy(info + info_size, &tag, sizeof(tag));
    memcpy(info + info_size + sizeof(tag), body, size);
    info_size += ROUND_UP(tag.size, 8);
}

static void
finish(void)
{
    add_tag(MB2_TAG_END, "", 0);
    memcpy(info, &info_size, 4);
    uint8_t *exact = malloc(info_size); /* so that the sanitizer sees a step too far */
    memcpy(exact, info, info_size);
    read_multiboot2((const struct mb2_info *)exact);
    make_ram();
    free(exact);
}

static void
test_whole(void)
{
    struct {
        uint32_t entry_size, version;
        struct mb2_mmap_entry e[5];
    } m = {24,
           0,
           {{0x200000, 0x100000, 1, 0}, /* out of order, overlapping, not aligned */
            {0, 0x9fc00, 1, 0},
            {0x100000, 0x180001, 1, 0},
            {0x150000, 0x10, 2, 0},
            {UINT64_MAX - 4095, 8192, 2, 0}}};

    begin();
    add_tag(MB2_TAG_CMDLINE, "a=1 b", 6);
    add_tag(MB2_TAG_LOADER, "GRUB 9", 7);
    add_tag(77, "unknown", 8);
    add_tag(MB2_TAG_ACPI_NEW, "RSD PTR new", 12);
    add_tag(MB2_TAG_ACPI_OLD, "RSD PTR old", 12);
    add_tag(MB2_TAG_MMAP, &m, sizeof(m));
    finish();
    CHECK(strcmp(bootinfo.cmdline, "a=1 b") == 0 && strcmp(loader_name, "GRUB 9") == 0);
    CHECK(bootinfo.rsdp != 0);
    CHECK(strcmp((const char *)(bootinfo.rsdp + KERNEL_BASE), "RSD PTR new") == 0);
    CHECK(bootinfo.nram == 2);
    CHECK(bootinfo.ram[0].start == 0x100000 && bootinfo.ram[0].end == 0x150000);
    CHECK(bootinfo.ram[1].start == 0x151000 && bootinfo.ram[1].end == 0x300000);
    CHECK(bootinfo.ram_end == 0x300000 && bootinfo.fb.addr == 0);
}

static void
test_framebuffer(void)
{
    struct mb2_framebuffer f = {.addr = 0xfd000000,
                                .pitch = 4096,
                                .width = 1024,
                                .height = 768,
                                .bpp = 32,
                                .type = MB2_FRAMEBUFFER_RGB,
                                .red_pos = 16,
                                .green_pos = 8};

    begin();
    add_tag(MB2_TAG_FRAMEBUFFER, &f.addr, sizeof(f) - sizeof(f.tag));
    finish();
    CHECK(bootinfo.fb.addr == 0xfd000000 && bootinfo.fb.pitch == 4096);
    CHECK(bootinfo.fb.red_shift == 16 && bootinfo.fb.green_shift == 8);

    begin();
    f.type = 2; /* EGA text */
    add_tag(MB2_TAG_FRAMEBUFFER, &f.addr, sizeof(f) - sizeof(f.tag));
    finish();
    CHECK(bootinfo.fb.addr == 0);
}

static bool
option_is(const char *name, const char *want)
{
    char value[8];

    if (!boot_option(name, value, sizeof(value)))
        return want == NULL;
    return want != NULL && strcmp(value, want) == 0;
}

static void
test_options(void)
{
    strlcpy(bootinfo.cmdline, "  quiet mem=64M seed=1  seed=22 long=123456789 e= tail",
            sizeof(bootinfo.cmdline));
    CHECK(option_is("quiet", "") && option_is("mem", "64M") && option_is("tail", ""));
    CHECK(option_is("seed", "22"));
    CHECK(option_is("long", "1234567"));
    CHECK(option_is("e", ""));
    CHECK(option_is("see", NULL) && option_is("me", NULL) && option_is("64M", NULL));
    CHECK(boot_option("mem", NULL, 0));
    strlcpy(bootinfo.cmdline, "", sizeof(bootinfo.cmdline));
    CHECK(option_is("quiet", NULL));
}

int
main(void)
{
    test_whole();
    test_framebuffer();
    test_options();
    CHECK(messages == 0);
    printf("ok\n");
    return 0;
}
