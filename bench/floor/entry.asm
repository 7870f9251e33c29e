; entry.asm - the floor kernel's way into long mode, its doors from user mode, and its user code.
;
; QEMU starts it directly (PVH): protected mode, no paging.  All memory is mapped where it is,
; by pages of 2 MiB.  The doors save what a C function may change, and nothing else.  Nothing is
; shared with kernel/arch/entry.asm: its frame of all registers is a cost that is measured here.

CODE    equ 0x08
DATA    equ 0x10

section .note.pvh note alloc noexec nowrite align=4
    dd 4, 4, 18                 ; XEN_ELFNOTE_PHYS32_ENTRY
    db "Xen", 0
    dd start

section .text
bits 32
global start
start:
    mov esp, stack_top
    mov dword [pml4], pdpt + 7
    mov dword [pdpt], directory + 3
    mov edi, directory
    mov eax, 0x83               ; present, writable, 2 MiB
    mov ecx, 512
.next:
    mov [edi], eax
    add eax, 2 << 20
    add edi, 8
    loop .next
    mov eax, 0x6a0              ; CR4: PAE, PGE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov eax, pml4
    mov cr3, eax
    mov ecx, 0xc0000080         ; EFER: SCE, LME, NXE
    rdmsr
    or eax, 0x901
    wrmsr
    mov eax, cr0
    and eax, ~4
    or eax, 0x80010002          ; CR0: PG, WP, MP
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp CODE:.long_mode
bits 64
.long_mode:
    mov eax, DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov rsp, stack_top
    extern floor_main
    call floor_main
.halt:
    hlt
    jmp .halt

; ---- a page fault: pf_handler(cr2, error code) ----
global pf_entry
extern pf_handler
pf_entry:
    push rax
    push rcx
    push rdx
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    mov rdi, cr2
    mov rsi, [rsp + 72]
    cld
    call [rel pf_handler]
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rax
    add rsp, 8
    iretq

; ---- any other exception is a mistake: bad(two words of its frame, cr2) ----
global bad_entry
extern bad
bad_entry:
    mov rdi, [rsp]
    mov rsi, [rsp + 8]
    mov rdx, cr2
    call bad

; ---- a system call: sys_table[rax](rdi, rsi), rax below 4 ----
global sys_entry
extern sys_table
sys_entry:
    swapgs
    mov [gs:0], rsp
    mov rsp, [gs:8]
    push qword [gs:0]
    push r11
    push rcx
    push rdi
    push rsi
    push rdx
    push r10
    push r8
    push r9
    cmp rax, 4
    jae .out
    call [sys_table + rax * 8]
.out:
    pop r9
    pop r8
    pop r10
    pop rdx
    pop rsi
    pop rdi
    pop rcx
    pop r11
    pop rsp
    swapgs
    o64 sysret

%macro PUSH_KEPT 0
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
%endmacro
%macro POP_KEPT 0
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
%endmacro

; switch_to(where to save this stack, the other's stack, its CR3)
global switch_to
switch_to:
    PUSH_KEPT
    mov [rdi], rsp
    mov rsp, rsi
    mov cr3, rdx
    POP_KEPT
    ret

; enter_user(rip, rdi, rsi, where to save this stack); leave_user(that stack) returns from it
global enter_user, leave_user
enter_user:
    PUSH_KEPT
    mov [rcx], rsp
    mov rcx, rdi
    mov rdi, rsi
    mov rsi, rdx
    mov r11d, 2
    swapgs
    o64 sysret
leave_user:
    mov rsp, rdi
    POP_KEPT
    ret

; ---- the user's code, copied to a page of its own ----
%macro CLOCK_START 0
    lfence
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov r12, rax
%endmacro

align 4096
global user_begin, user_end, user_touch, user_null, user_yield
user_begin:
user_touch:                     ; rdi: address, rsi: pages
    CLOCK_START
.next:
    mov byte [rdi], 1
    add rdi, 4096
    dec rsi
    jnz .next
    jmp done
user_null:                      ; rsi: how often
    CLOCK_START
.next:
    mov eax, 1
    syscall
    dec rsi
    jnz .next
    jmp done
user_yield:
    CLOCK_START
.next:
    mov eax, 2
    syscall
    dec rsi
    jnz .next
done:
    rdtsc
    shl rdx, 32
    or rax, rdx
    sub rax, r12
    mov rdi, rax
    xor eax, eax                ; system call 0: done(ticks)
    syscall
    ud2
user_end:

section .data
align 8
gdt:
    dq 0, 0x00af9a000000ffff, 0x00cf92000000ffff, 0
    dq 0x00cff2000000ffff, 0x00affa000000ffff   ; 0x20 user data, 0x28 user code
global gdt_tss
gdt_tss:
    dq 0, 0
gdt_pointer:
    dw $ - gdt - 1
    dd gdt

section .bss
align 4096
global pml4, stack_top
pml4: resb 4096
pdpt: resb 4096
directory: resb 4096
    resb 16384
stack_top:
