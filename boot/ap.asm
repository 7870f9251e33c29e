; ap.asm - from the start-up message to C, for every processor but the first.
;
; A processor that is started begins in real mode at a page below 1 MiB.  ap_code is copied there
; (kernel/arch/ap.c) with its parameters behind it, takes the way of boot.asm to long mode under
; the same temporary tables, and goes on in the high half with the kernel's own.
;
; Source: Intel SDM vol. 3A 8.4.4 "MP Initialization Example", 9.9 "Mode Switching".

%include "kernel/arch/cfi.inc"

AP_PAGE         equ 0x8000              ; where it runs: kernel/arch/ap.c
PARAMETERS      equ AP_PAGE + 0xf00     ; struct ap_parameters
P_BOOT_ROOT     equ PARAMETERS + 0
P_KERNEL_ROOT   equ PARAMETERS + 8
P_STACK         equ PARAMETERS + 16
P_ENTRY         equ PARAMETERS + 24
P_ARG           equ PARAMETERS + 32
P_OFFERED_TO    equ PARAMETERS + 40

NOBODY          equ 0xffffffff

CR0_PE          equ 1 << 0
CR0_MP          equ 1 << 1
CR0_EM          equ 1 << 2
CR0_NE          equ 1 << 5
CR0_WP          equ 1 << 16
CR0_NW_CD       equ 3 << 29             ; caches are off after INIT
CR0_PG          equ 1 << 31
CR4_PAE         equ 1 << 5
MSR_EFER        equ 0xc0000080
EFER_SCE        equ 1 << 0
EFER_LME        equ 1 << 8
EFER_NXE        equ 1 << 11

SEL_CODE64      equ 0x08
SEL_DATA        equ 0x10
SEL_CODE32      equ 0x18

%define AT(label) (AP_PAGE + (label) - ap_code)

section .rodata
global ap_code, ap_code_end
bits 16
ap_code:
    cli
    cld
    xor ax, ax
    mov ds, ax
    o32 lgdt [AT(gdt_pointer)]
    mov eax, cr0
    and eax, ~(CR0_NW_CD | CR0_EM)
    or eax, CR0_PE
    mov cr0, eax
    jmp dword SEL_CODE32:AT(protected_mode)

bits 32
protected_mode:
    mov ax, SEL_DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov eax, [P_BOOT_ROOT]
    mov cr3, eax
    mov eax, CR4_PAE
    mov cr4, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME | EFER_NXE | EFER_SCE
    wrmsr
    mov eax, cr0
    or eax, CR0_PG | CR0_WP | CR0_NE | CR0_MP
    mov cr0, eax
    jmp SEL_CODE64:AT(long_mode)

bits 64
long_mode:
    mov eax, 1
    cpuid
    mov eax, ebx
    shr eax, 24                         ; this processor's APIC id
    mov ecx, NOBODY
    lock cmpxchg [abs P_OFFERED_TO], ecx
    jne .late
    mov rbx, [abs P_KERNEL_ROOT]
    mov rcx, [abs P_STACK]
    mov rdx, [abs P_ENTRY]
    mov rdi, [abs P_ARG]
    mov rax, high
    jmp rax
.late:                                  ; nobody waits for it any more
    hlt
    jmp .late

    align 8
gdt:
    dq 0
    dq 0x00af9b000000ffff               ; 0x08: 64-bit code
    dq 0x00cf93000000ffff               ; 0x10: data
    dq 0x00cf9b000000ffff               ; 0x18: 32-bit code
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dd AT(gdt)
ap_code_end:

section .text
high:
    mov cr3, rbx                        ; the page at AP_PAGE is gone from here on
    mov rsp, rcx
    xor ebp, ebp                        ; ends the chain of frame pointers
    xor eax, eax
    mov fs, ax
    mov gs, ax
    call rdx                            ; entry(arg)
    ud2
.end:
    cfi_outermost high, high.end
