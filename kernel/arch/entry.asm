; entry.asm - the ways into the kernel and out of it.
;
; Every entry saves all registers into a struct trapframe (trap.h) and calls C:
;
;     stack top  ss rsp rflags cs rip   by the processor, or by hand for SYSCALL
;                error vector           by the stub
;                rdi rsi rdx rcx rax r8 r9 r10 r11 rbx rbp r12 r13 r14 r15
;     rsp ->     r15
;
; GS is the kernel's inside and the user's outside; whether to swap is decided by
; the saved CS.  NMI, #DF and #MC may strike where that rule does not hold, before
; an entry's SWAPGS or behind an exit's, so they have stacks of their own, find
; struct cpu at the top of those, and put GS back as it was; trap_paranoid is told what it was.
;
; Sources: Intel SDM vol. 3A 6.14 "Exception and Interrupt Handling in 64-bit Mode",
; vol. 2B SYSCALL and SYSRET; System V ABI AMD64 A.2.1.

%include "kernel/arch/cfi.inc"
%include "kernel/arch/smap.inc"

CPU_KERNEL_STACK equ 8                  ; struct cpu
CPU_USER_RSP     equ 16

TF_R11           equ 6 * 8              ; struct trapframe
TF_RCX           equ 11 * 8
TF_VECTOR        equ 15 * 8
TF_RIP           equ 17 * 8
TF_CS            equ 18 * 8
TF_RFLAGS        equ 19 * 8
TF_RSP           equ 20 * 8
TF_SS            equ 21 * 8
TF_SIZE          equ 22 * 8

SEL_USER_DATA    equ 0x1b
SEL_USER_CODE    equ 0x23
TRAP_SYSCALL     equ 0x100
RFLAGS_TF_RF     equ 1 << 8 | 1 << 16
MSR_GS_BASE      equ 0xc0000101

extern trap_user, trap_kernel, trap_paranoid, trap_bad_iret
extern trap_syscall_handler, trap_return_handler
global trap_stubs, trap_return_to_user, syscall_entry

%macro push_registers 0
    push rdi
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
%endmacro

; Leaves rsp at the vector.
%macro pop_registers 0
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
%endmacro

section .text

; ---------------------------------------------------------------- stubs

; The exceptions for which the processor pushes an error code: 8, 10-14, 17, 21, 29, 30.
ERROR_VECTORS equ 1 << 8 | 0x1f << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30

%assign v 0
%rep 256
    align 8
stub_%+v:
%if v >= 32 || (ERROR_VECTORS >> v & 1) == 0
    push strict byte 0
%endif
    push strict dword v
%if v == 2 || v == 8 || v == 18
    jmp paranoid_entry
%else
    jmp trap_entry
%endif
%assign v v + 1
%endrep

; ---------------------------------------------------------------- exceptions and interrupts

    align 16
trap_entry:
    push_registers
.frame:
    cld
    CLAC                                ; a gate does not clear AC: the user may have set it
    test byte [rsp + TF_CS], 3
    jz trap_entry_kernel
    swapgs
    xor ebp, ebp                        ; a backtrace ends here
trap_entry_user:
    mov rdi, rsp
    call trap_user

; rsp = trapframe of the user, interrupts as they may be.
trap_exit_user:
    cli
    mov rdi, rsp
    call [trap_return_handler]
trap_exit_iret:
    cli
.pop:
    pop_registers
    swapgs
    add rsp, 16
trap_iret_user:
    iretq

trap_entry_kernel:
    cmp qword [rsp + TF_RIP], trap_iret_user
    je .bad_iret
    push qword [rsp + TF_RIP]           ; a stack frame as a call would have made it, so
    push rbp                            ; that a backtrace shows the interrupted function
    mov rbp, rsp
.frame:
    lea rdi, [rsp + 16]
    call trap_kernel
.frame_end:
    add rsp, 16
    pop_registers
    add rsp, 16
    iretq

; IRETQ could not load what the user's frame says.  GS is already the user's.  The
; fault is made one of the user's, with the frame that it would have pushed.
.bad_iret:
    swapgs
    xor ebp, ebp
    mov rdi, rsp
    call trap_bad_iret
.bad_iret_end:
    mov rsp, rax
    jmp trap_entry_user

trap_return_to_user:
    mov rsp, rdi
    xor ebp, ebp
    jmp trap_exit_user

; ---------------------------------------------------------------- NMI, #DF, #MC

    align 16
paranoid_entry:
    push_registers
.frame:
    cld
    CLAC
    mov ecx, MSR_GS_BASE
    rdmsr
    mov ebx, eax                        ; callee-saved registers: C keeps them for us
    mov r12d, edx
    mov rax, [rsp + TF_SIZE]            ; cpu_init put struct cpu at the top of the stack
    mov rdx, rax
    shr rdx, 32
    wrmsr
    xor ebp, ebp
    mov rdi, rsp
    mov rsi, r12
    shl rsi, 32
    or rsi, rbx
    call trap_paranoid
    mov ecx, MSR_GS_BASE
    mov eax, ebx
    mov edx, r12d
    wrmsr
.frame_end:
    pop_registers
    add rsp, 16
    iretq

; ---------------------------------------------------------------- system calls

; SYSCALL: rcx = rip, r11 = rflags, interrupts off by SFMASK, rsp is still the user's.
    align 16
syscall_entry:
    swapgs
    mov [gs:CPU_USER_RSP], rsp
    mov rsp, [gs:CPU_KERNEL_STACK]
    push strict byte SEL_USER_DATA
    push qword [gs:CPU_USER_RSP]
    push r11
    push strict byte SEL_USER_CODE
    push rcx
    push rax                            ; "error": the number, for restarting the call
    push strict dword TRAP_SYSCALL
    push_registers
.frame:
    xor ebp, ebp
    mov rdi, rsp
    sti
    call [trap_syscall_handler]
    cli
    mov rdi, rsp
    call [trap_return_handler]
    cli

; SYSRET loads rip from rcx and rflags from r11, and faults inside the kernel when rcx is
; not canonical (on Intel's processors).  A signal or exec may have changed the frame: then
; IRETQ, which takes everything from it.
    mov rcx, [rsp + TF_RIP]
    mov r11, [rsp + TF_RFLAGS]
    cmp rcx, [rsp + TF_RCX]
    jne trap_exit_iret
    cmp r11, [rsp + TF_R11]
    jne trap_exit_iret
    mov rdx, rcx
    shr rdx, 47
    jnz trap_exit_iret
    test r11d, RFLAGS_TF_RF
    jnz trap_exit_iret
    cmp word [rsp + TF_CS], SEL_USER_CODE
    jne trap_exit_iret
    cmp word [rsp + TF_SS], SEL_USER_DATA
    jne trap_exit_iret
.frame_end:
    pop_registers
    mov rsp, [rsp + TF_RSP - TF_VECTOR]
    swapgs
    o64 sysret

    cfi_common
    cfi_frame trap_entry.frame, trap_exit_iret.pop, 0
    cfi_frame trap_entry_kernel.frame, trap_entry_kernel.frame_end, 16
    cfi_frame trap_entry_kernel.bad_iret, trap_entry_kernel.bad_iret_end, 0
    cfi_frame paranoid_entry.frame, paranoid_entry.frame_end, 0
    cfi_frame syscall_entry.frame, syscall_entry.frame_end, 0

section .rodata
    align 8
trap_stubs:
%assign v 0
%rep 256
    dq stub_%+v
%assign v v + 1
%endrep
