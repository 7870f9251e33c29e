; boot.asm - from the loader's 32-bit jump to the first C function.
;
; Two doors: multiboot2 (GRUB, BIOS and UEFI) and PVH (qemu -kernel, by an ELF
; note).  Both arrive in 32-bit protected mode without paging.  Here the processor
; is judged, temporary page tables are made, long mode is entered, and boot_main()
; and then kmain() are called on the boot stack in the high half.
;
; The temporary tables map the first 4 GiB at 0 and at KERNEL_HALF, and the first
; GiB at KERNEL_BASE, all writable and executable; pagetable_init_kernel() replaces
; them.  Memory above 4 GiB is out of reach until then.
;
; Sources: Multiboot2 specification 3.1 and 3.3; Xen "x86/HVM direct boot ABI";
; Intel SDM vol. 3A 9.8.5 "Initializing IA-32e Mode", AMD64 APM vol. 2 14.6.

%include "kernel/arch/cfi.inc"

KERNEL_BASE     equ 0xffffffff80000000
KERNEL_HALF     equ 0xffff800000000000

MB2_HEADER      equ 0xe85250d6
MB2_MAGIC       equ 0x36d76289
PVH_MAGIC       equ 0x336ec578
PVH_ENTRY_NOTE  equ 18                  ; XEN_ELFNOTE_PHYS32_ENTRY

CR0_MP          equ 1 << 1
CR0_EM          equ 1 << 2
CR0_NE          equ 1 << 5
CR0_WP          equ 1 << 16
CR0_PG          equ 1 << 31
CR4_PAE         equ 1 << 5
MSR_EFER        equ 0xc0000080
EFER_SCE        equ 1 << 0
EFER_LME        equ 1 << 8
EFER_NXE        equ 1 << 11

PTE_P_W         equ 3
PTE_PS          equ 1 << 7

SEL_CODE64      equ 0x08
SEL_DATA        equ 0x10

COM1            equ 0x3f8
DEBUG_EXIT      equ 0xf4
EXIT_CODE_PANIC equ 0x11

BOOT_STACK_SIZE equ 16384

; ---------------------------------------------------------------- headers

section .boot.header progbits alloc exec nowrite align=8
mb2_start:
    dd MB2_HEADER
    dd 0                                ; architecture: 32-bit protected mode
    dd mb2_end - mb2_start
    dd -(MB2_HEADER + 0 + (mb2_end - mb2_start))

    align 8
mb2_need:                               ; without a memory map there is no kernel
    dw 1, 0
    dd .end - mb2_need
    dd 6
.end:
    align 8
mb2_like:                               ; optional: command line, loader, framebuffer, ACPI
    dw 1, 1
    dd .end - mb2_like
    dd 1, 2, 8, 14, 15
.end:
    align 8
mb2_console:                            ; we can also do EGA text
    dw 4, 1
    dd 12
    dd 2
    align 8
mb2_framebuffer:
    dw 5, 1
    dd 20
    dd 1024, 768, 32
    align 8
    dw 0, 0                             ; end
    dd 8
mb2_end:

section .note.pvh note alloc noexec nowrite align=4
    dd 4                                ; size of the name
    dd 4                                ; size of the value
    dd PVH_ENTRY_NOTE
    db "Xen", 0
    dd boot_entry_pvh

; ---------------------------------------------------------------- 32-bit code, linked low

section .boot.text progbits alloc exec nowrite align=16
bits 32

global boot_entry_multiboot2
boot_entry_multiboot2:
    cli
    cld
    mov esp, boot_stack_low_top
    mov ebp, msg_loader
    cmp eax, MB2_MAGIC
    jne boot_refuse
    jmp boot_common

global boot_entry_pvh
boot_entry_pvh:
    cli
    cld
    mov esp, boot_stack_low_top
    mov eax, PVH_MAGIC
    mov ebp, msg_loader
    cmp [ebx], eax
    jne boot_refuse

; eax = magic, ebx = physical address of the loader's information.
boot_common:
    mov esi, eax
    mov edi, ebx
    call check_processor
    call make_tables
    call enter_long_mode
    lgdt [boot_gdt_pointer]
    jmp SEL_CODE64:long_mode_low

; Returns only on a processor that can run the kernel.  Keeps esi, edi.
check_processor:
    mov ebp, msg_cpuid
    pushfd                              ; CPUID exists if EFLAGS.ID can be changed
    pop eax
    mov ecx, eax
    xor eax, 1 << 21
    push eax
    popfd
    pushfd
    pop eax
    push ecx
    popfd
    xor eax, ecx
    test eax, 1 << 21
    jz boot_refuse

    mov ebp, msg_long
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb boot_refuse
    mov eax, 0x80000001
    cpuid
    test edx, 1 << 29
    jz boot_refuse
    mov ebp, msg_nx
    test edx, 1 << 20
    jz boot_refuse
    mov ebp, msg_syscall
    test edx, 1 << 11
    jz boot_refuse
    ret

; Fills the temporary tables, which the loader cleared with the rest of .bss.
make_tables:
    mov eax, boot_pdpt_low - KERNEL_BASE + PTE_P_W
    mov [boot_pml4 - KERNEL_BASE], eax
    mov [boot_pml4 - KERNEL_BASE + ((KERNEL_HALF >> 39) & 511) * 8], eax
    mov eax, boot_pdpt_high - KERNEL_BASE + PTE_P_W
    mov [boot_pml4 - KERNEL_BASE + 511 * 8], eax

    mov eax, boot_pd - KERNEL_BASE + PTE_P_W
    mov [boot_pdpt_high - KERNEL_BASE + 510 * 8], eax
    xor ecx, ecx
.pdpt:
    mov [boot_pdpt_low - KERNEL_BASE + ecx * 8], eax
    add eax, 4096
    inc ecx
    cmp ecx, 4
    jb .pdpt

    mov eax, PTE_P_W | PTE_PS
    xor ecx, ecx
.pd:
    mov [boot_pd - KERNEL_BASE + ecx * 8], eax
    add eax, 2 << 20
    inc ecx
    cmp ecx, 4 * 512
    jb .pd
    ret

; Paging on, in compatibility mode until the far jump.
enter_long_mode:
    mov eax, boot_pml4 - KERNEL_BASE
    mov cr3, eax
    mov eax, cr4
    or eax, CR4_PAE
    mov cr4, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME | EFER_NXE | EFER_SCE
    wrmsr
    mov eax, cr0
    and eax, ~CR0_EM
    or eax, CR0_PG | CR0_WP | CR0_NE | CR0_MP
    mov cr0, eax
    ret

; ebp = text.  Says it on COM1 and on the VGA text screen, and stops.
boot_refuse:
    mov dx, COM1 + 3                    ; 8 data bits, no parity, 1 stop bit
    mov al, 3
    out dx, al
    mov edi, 0xb8000
    mov esi, msg_prefix
    call say
    mov esi, ebp
    call say
    mov dx, DEBUG_EXIT
    mov eax, EXIT_CODE_PANIC
    out dx, eax
.halt:
    cli
    hlt
    jmp .halt

; esi = text, edi = place on the VGA screen; both are moved on.
say:
    lodsb
    test al, al
    jz .end
    mov ah, 0x4f                        ; white on red
    cmp al, ' '
    jb .serial
    mov [edi], ax
    add edi, 2
.serial:
    mov bl, al
    mov dx, COM1 + 5
    mov ecx, 100000                     ; a machine without COM1 must not hang here
.wait:
    in al, dx
    test al, 0x20
    loopz .wait
    mov dx, COM1
    mov al, bl
    out dx, al
    jmp say
.end:
    ret

bits 64
long_mode_low:
    mov ax, SEL_DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    mov rax, long_mode_high
    jmp rax

section .boot.data progbits alloc noexec nowrite align=16
boot_gdt:                               ; the selectors of kernel/arch/trap.h
    dq 0
    dq 0x00af9b000000ffff               ; 0x08: 64-bit code
    dq 0x00cf93000000ffff               ; 0x10: data
boot_gdt_end:
boot_gdt_pointer:
    dw boot_gdt_end - boot_gdt - 1
    dq boot_gdt

msg_prefix:  db "PANIC: Vitrine cannot start: ", 0
msg_loader:  db "the loader is neither multiboot2 nor PVH", 13, 10, 0
msg_cpuid:   db "the processor has no CPUID instruction", 13, 10, 0
msg_long:    db "the processor has no 64-bit long mode", 13, 10, 0
msg_nx:      db "the processor cannot forbid execution (no NX bit)", 13, 10, 0
msg_syscall: db "the processor has no SYSCALL instruction", 13, 10, 0

; ---------------------------------------------------------------- 64-bit code, linked high

section .text
bits 64
extern boot_main, kmain

; esi = magic, edi = information.
long_mode_high:
    mov rsp, boot_stack_top
    xor ebp, ebp                        ; ends the chain of frame pointers
    mov eax, esi
    mov esi, edi                        ; clears the upper halves too
    mov edi, eax
    call boot_main
    call kmain
    ud2
.end:
    cfi_outermost long_mode_high, long_mode_high.end

section .bss nobits alloc write align=4096
global boot_pml4                        ; the other processors start with them too
boot_pml4:      resb 4096
boot_pdpt_low:  resb 4096
boot_pdpt_high: resb 4096
boot_pd:        resb 4 * 4096

; The stack of the boot CPU's first thread (bootinfo.h).  The guard page is ordinary memory until
; somebody unmaps it.
global boot_stack_guard, boot_stack, boot_stack_top
boot_stack_guard: resb 4096
boot_stack:       resb BOOT_STACK_SIZE
boot_stack_top:
boot_stack_low_top equ boot_stack_top - KERNEL_BASE
