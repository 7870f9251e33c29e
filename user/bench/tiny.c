/*
 * tiny.c - the smallest useful program, which vmbench's exec_tiny starts: it only ends.
 *
 * One page, one segment, no C library: what is measured is the kernel's part of a start.
 */
/* build: -nostdlib -Wl,--build-id=none -Wl,-z,noseparate-code */
__asm__(".globl _start\n"
        "_start:\n"
        "    mov $231, %eax\n" /* exit_group(0) */
        "    xor %edi, %edi\n"
        "    syscall\n");
