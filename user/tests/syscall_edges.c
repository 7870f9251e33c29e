/*
 * syscall_edges.c - the system-call door itself: unknown numbers, a stack pointer that
 * points nowhere, registers that must come back as they went.
 *
 * syscall uses no memory of the program, so a bad stack pointer does not matter to it.
 */
#include "test.h"

static long
raw(unsigned long number, unsigned long a)
{
    long result;

    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a) : "rcx", "r11", "memory");
    return result;
}

static void
unknown(const char *name, unsigned long number)
{
    say("number %s: %s\n", name, errno_name((int)-raw(number, 0)));
}

static long
with_stack(unsigned long stack)
{
    long result;

    __asm__ volatile("mov %%rsp, %%r12\n"
                     "mov %2, %%rsp\n"
                     "syscall\n"
                     "mov %%r12, %%rsp\n"
                     : "=a"(result)
                     : "a"(SYS_getuid), "r"(stack)
                     : "rcx", "r11", "r12", "memory");
    return result;
}

static int
registers_are_kept(void)
{
    unsigned long bad = 0;

    __asm__ volatile("mov $0x1111, %%rbx\n mov $0x2222, %%r12\n mov $0x3333, %%r13\n"
                     "mov $0x4444, %%r14\n mov $0x5555, %%r15\n mov $0x6666, %%r8\n"
                     "mov $0x7777, %%r9\n mov $0x8888, %%r10\n mov $0x9999, %%rdi\n"
                     "mov $0xaaaa, %%rsi\n mov $0xbbbb, %%rdx\n"
                     "mov $102, %%eax\n syscall\n"
                     "cmp $0x1111, %%rbx\n jne 1f\n cmp $0x2222, %%r12\n jne 1f\n"
                     "cmp $0x3333, %%r13\n jne 1f\n cmp $0x4444, %%r14\n jne 1f\n"
                     "cmp $0x5555, %%r15\n jne 1f\n cmp $0x6666, %%r8\n jne 1f\n"
                     "cmp $0x7777, %%r9\n jne 1f\n cmp $0x8888, %%r10\n jne 1f\n"
                     "cmp $0x9999, %%rdi\n jne 1f\n cmp $0xaaaa, %%rsi\n jne 1f\n"
                     "cmp $0xbbbb, %%rdx\n jne 1f\n jmp 2f\n"
                     "1: mov $1, %%eax\n jmp 3f\n 2: xor %%eax, %%eax\n 3:\n"
                     : "=a"(bad)
                     :
                     : "rbx", "rcx", "rdx", "rdi", "rsi", "r8", "r9", "r10", "r11", "r12",
                       "r13", "r14", "r15", "memory", "cc");
    return bad == 0;
}

static void
direction_flag(void *arg)
{
    (void)arg;
    __asm__ volatile("std" : : : "cc");
    long r = raw(SYS_getpid, 0);
    __asm__ volatile("cld" : : : "cc");
    CHECK("a call with the direction flag set", r > 0);
}

int
main(void)
{
    unknown("999", 999);
    unknown("10000", 10000);
    unknown("2^31", 1UL << 31);
    unknown("2^32 + 999", (1UL << 32) + 999);
    unknown("-1", -1UL);
    unknown("x32 bit + 9999", 0x40000000UL + 9999);
    long uid = raw(SYS_getuid, 0);
    CHECK("stack at NULL", with_stack(0) == uid);
    CHECK("stack not canonical", with_stack(0x8000000000000000) == uid);
    CHECK("stack in the kernel half", with_stack(0xffffffff80000000) == uid);
    CHECK("registers come back", registers_are_kept());
    show_status("direction flag", in_child(direction_flag, NULL));
    return finish();
}
