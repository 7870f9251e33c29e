/*
 * registers_zero_at_start.c - the first instruction of a program sees zeroed registers,
 * an aligned stack and clean flags.
 *
 * A hand-made program ORs its registers and exits with 42 if all are zero, 1 if not.
 */
#include "tiny_elf.h"

static const unsigned char general[] = {
    0x48, 0x09, 0xd8,                         /* or %rbx,%rax */
    0x48, 0x09, 0xc8, 0x48, 0x09, 0xd0,       /* rcx, rdx */
    0x48, 0x09, 0xf0, 0x48, 0x09, 0xf8,       /* rsi, rdi */
    0x48, 0x09, 0xe8,                         /* rbp */
    0x4c, 0x09, 0xc0, 0x4c, 0x09, 0xc8,       /* r8, r9 */
    0x4c, 0x09, 0xd0, 0x4c, 0x09, 0xd8,       /* r10, r11 */
    0x4c, 0x09, 0xe0, 0x4c, 0x09, 0xe8,       /* r12, r13 */
    0x4c, 0x09, 0xf0, 0x4c, 0x09, 0xf8,       /* r14, r15 */
    0xbf, 1,    0,    0,    0,                /* mov $1,%edi */
    0x75, 0x05,                               /* jnz over the next */
    0xbf, 42,   0,    0,    0,                /* mov $42,%edi */
    0xb8, 60,   0,    0,    0,    0x0f, 0x05, /* exit */
};

static const unsigned char stack[] = {
    0x48, 0x89, 0xe7, /* mov %rsp,%rdi */
    0x83, 0xe7, 0x0f, /* and $15,%edi */
    0xb8, 60,   0,    0, 0, 0x0f, 0x05,
};

static const unsigned char flags[] = {
    0x9c, 0x5f,                         /* pushf; pop %rdi */
    0x81, 0xe7, 0xd5, 0x0c, 0x00, 0x00, /* and $0xcd5,%edi: DF OF SF ZF AF PF CF */
    0xc1, 0xef, 0x02,                   /* shr $2,%edi */
    0xb8, 60,   0,    0,    0,    0x0f, 0x05,
};

static const unsigned char sse[] = {
    0x66, 0x0f, 0xeb, 0xc7,       /* por %xmm7,%xmm0 */
    0x66, 0x0f, 0xeb, 0xc1,       /* por %xmm1,%xmm0 */
    0x66, 0x41, 0x0f, 0xeb, 0xc7, /* por %xmm15,%xmm0 */
    0x66, 0x0f, 0xef, 0xc9,       /* pxor %xmm1,%xmm1 */
    0x66, 0x0f, 0x74, 0xc1,       /* pcmpeqb %xmm1,%xmm0 */
    0x66, 0x0f, 0xd7, 0xf8,       /* pmovmskb %xmm0,%edi */
    0xc1, 0xef, 0x08,             /* shr $8,%edi: 255 if zero */
    0xb8, 60,   0,    0,    0,    0x0f, 0x05,
};

static void
run(const char *what, const void *code, size_t length)
{
    static struct tiny t;

    tiny_make(&t, code, length);
    show_status(what, tiny_run(&t, sizeof(t)));
}

int
main(void)
{
    /* something to leave behind in the registers of the process that starts it */
    __asm__ volatile("movq %0, %%xmm7\n movq %0, %%xmm15" : : "r"(-1L) : "xmm7", "xmm15");
    run("general registers", general, sizeof(general));
    run("stack alignment", stack, sizeof(stack));
    run("flags", flags, sizeof(flags));
    run("SSE registers", sse, sizeof(sse));
    return finish();
}
