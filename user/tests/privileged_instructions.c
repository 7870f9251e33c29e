/*
 * privileged_instructions.c - what only the kernel may do kills the program that tries.
 *
 * Each instruction runs in a child of its own; the parent prints the signal.  The
 * machine goes on: interrupts on, control registers and tables as they were.
 * With a number as argument it makes that one attempt itself.
 */
#include "test.h"

#define CASE(name, code)                                                   \
    static void name(void *arg)                                            \
    {                                                                      \
        (void)arg;                                                         \
        __asm__ volatile(code : : : "memory", "rax", "rbx", "rcx", "rdx"); \
    }

/* clang-format off */
CASE(do_hlt, "hlt")
CASE(do_cli, "cli")
CASE(do_sti, "sti")
CASE(do_in, "inb $0x64, %%al")
CASE(do_out, "outb %%al, $0x64")
CASE(do_in_dx, "mov $0xcf8, %%edx\n inl %%dx, %%eax")
CASE(do_insb, "mov $0x3f8, %%edx\n lea -64(%%rsp), %%rdi\n insb")
CASE(do_lgdt, "lgdt -16(%%rsp)")
CASE(do_lidt, "lidt -16(%%rsp)")
CASE(do_lldt, "xor %%eax, %%eax\n lldt %%ax")
CASE(do_ltr, "mov $0x28, %%eax\n ltr %%ax")
CASE(do_mov_cr0, "mov %%cr0, %%rax")
CASE(do_to_cr0, "xor %%eax, %%eax\n mov %%rax, %%cr0")
CASE(do_mov_cr2, "mov %%cr2, %%rax")
CASE(do_mov_cr3, "mov %%cr3, %%rax")
CASE(do_to_cr3, "xor %%eax, %%eax\n mov %%rax, %%cr3")
CASE(do_to_cr4, "xor %%eax, %%eax\n mov %%rax, %%cr4")
CASE(do_mov_cr8, "mov %%cr8, %%rax")
CASE(do_mov_dr7, "mov %%db7, %%rax")
CASE(do_clts, "clts")
CASE(do_wbinvd, "wbinvd")
CASE(do_invd, "invd")
CASE(do_invlpg, "invlpg (%%rsp)")
CASE(do_rdmsr, "mov $0xc0000080, %%ecx\n rdmsr")
CASE(do_wrmsr, "mov $0xc0000082, %%ecx\n xor %%eax, %%eax\n xor %%edx, %%edx\n wrmsr")
CASE(do_swapgs, "swapgs")
CASE(do_sysret, "xor %%ecx, %%ecx\n sysretq")
CASE(do_lmsw, "xor %%eax, %%eax\n lmsw %%ax")
CASE(do_ud2, "ud2")
CASE(do_int3, "int3")
CASE(do_int_8, "int $8")
CASE(do_int_13, "int $13")
CASE(do_int_14, "int $14")
CASE(do_int_32, "int $32")
CASE(do_int_255, "int $255")
CASE(do_divide, "xor %%edx, %%edx\n xor %%ecx, %%ecx\n mov $1, %%eax\n div %%ecx")
CASE(do_divide_overflow,
     "mov $0x80000000, %%eax\n cltd\n mov $-1, %%ecx\n idivl %%ecx")
CASE(do_load_ss, "mov $0x10, %%eax\n mov %%eax, %%ss")
CASE(do_load_ds, "mov $0x08, %%eax\n mov %%eax, %%ds\n mov $0xffff, %%eax\n mov %%eax, %%ds")
CASE(do_far_return, "pushq $0x08\n lea 1f(%%rip), %%rax\n push %%rax\n 1: lretq")
CASE(do_iret_kernel,
     "push $0x10\n push %%rsp\n push $2\n push $0x08\n lea 1f(%%rip), %%rax\n push %%rax\n"
     "iretq\n 1: nop")
CASE(do_iret_null,
     "push $0x2b\n push %%rsp\n push $2\n push $0x33\n pushq $0\n iretq")
CASE(do_set_iopl, "pushfq\n orq $0x3000, (%%rsp)\n popfq\n cli")
CASE(do_single_step, "pushfq\n orq $0x100, (%%rsp)\n popfq\n nop\n nop")
CASE(do_undefined, ".byte 0x0f, 0xff")
CASE(do_old_opcode, ".byte 0x06")
CASE(do_lock, ".byte 0xf0, 0x90")
/* clang-format on */

#define ENTRY(name) \
    {               \
#name, name \
    }
static const struct {
    const char *name;
    void (*fn)(void *);
} cases[] = {
    ENTRY(do_hlt),
    ENTRY(do_cli),
    ENTRY(do_sti),
    ENTRY(do_in),
    ENTRY(do_out),
    ENTRY(do_in_dx),
    ENTRY(do_insb),
    ENTRY(do_lgdt),
    ENTRY(do_lidt),
    ENTRY(do_lldt),
    ENTRY(do_ltr),
    ENTRY(do_mov_cr0),
    ENTRY(do_to_cr0),
    ENTRY(do_mov_cr2),
    ENTRY(do_mov_cr3),
    ENTRY(do_to_cr3),
    ENTRY(do_to_cr4),
    ENTRY(do_mov_cr8),
    ENTRY(do_mov_dr7),
    ENTRY(do_clts),
    ENTRY(do_wbinvd),
    ENTRY(do_invd),
    ENTRY(do_invlpg),
    ENTRY(do_rdmsr),
    ENTRY(do_wrmsr),
    ENTRY(do_swapgs),
    ENTRY(do_sysret),
    ENTRY(do_lmsw),
    ENTRY(do_ud2),
    ENTRY(do_int3),
    ENTRY(do_int_8),
    ENTRY(do_int_13),
    ENTRY(do_int_14),
    ENTRY(do_int_32),
    ENTRY(do_int_255),
    ENTRY(do_divide),
    ENTRY(do_divide_overflow),
    ENTRY(do_load_ss),
    ENTRY(do_load_ds),
    ENTRY(do_far_return),
    ENTRY(do_iret_kernel),
    ENTRY(do_iret_null),
    ENTRY(do_set_iopl),
    ENTRY(do_single_step),
    ENTRY(do_undefined),
    ENTRY(do_old_opcode),
    ENTRY(do_lock),
};

int
main(int argc, char **argv)
{
    if (argc > 1 && (size_t)atoi(argv[1]) < sizeof(cases) / sizeof(cases[0])) {
        cases[atoi(argv[1])].fn(NULL);
        return 0;
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        show_status(cases[i].name + 3, in_child(cases[i].fn, NULL));
    return finish();
}
